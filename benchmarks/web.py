"""Milliseconds a frame in a browser, on one core, beside MediaPipe's JavaScript package.

    uv run python benchmarks/web.py --rounds 60

Both are in one page of one headless Chromium, which has one processor core and no GPU, and take
turns frame by frame: a frame of 640 × 480 pixels in, where the person is out. MediaPipe's is its
Tasks package with its selfie network, whose file lies in its older package without the words that
the Tasks package wants; they are added with MediaPipe's own writer. `npm` fetches both packages.
"""

import argparse
import functools
import http.server
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

import cv2
from playwright.sync_api import sync_playwright
from skimage.data import astronaut

import pipelines

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ("--headless", "--no-sandbox", "--disable-gpu")

TASKS: Final = "@mediapipe/tasks-vision@1.1.0"
SELFIE: Final = "@mediapipe/selfie_segmentation@0.1.1675465747"
WRITER: Final = ("mediapipe==0.10.21", "numpy<2")

ADD_WORDS: Final = """
import sys
from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer
source, target = sys.argv[1:]
writer = metadata_writer.MetadataWriter.create(bytearray(open(source, "rb").read()))
writer.add_image_input([0.0], [255.0])
writer.add_segmentation_output(metadata_writer.Labels().add(["person"]))
open(target, "wb").write(writer.populate()[0])
"""

PAGE: Final = """<!doctype html><meta charset="utf-8"><script type="module">
import { FilesetResolver, ImageSegmenter } from "./tasks/vision_bundle.mjs";
const ours = {};
for (const name of NAMES) {
  const { Segmenter } = await import(`./${name}/segmenter.js`);
  ours[name] = await Segmenter.load("network.json");
}
const tasks = await ImageSegmenter.createFromOptions(
  await FilesetResolver.forVisionTasks("./tasks/wasm"),
  { baseOptions: { modelAssetPath: "./selfie.tflite", delegate: "CPU" }, runningMode: "VIDEO",
    outputCategoryMask: false, outputConfidenceMasks: true });
const frame = await createImageBitmap(await (await fetch("./frame.png")).blob());
const small = new OffscreenCanvas(256, 256).getContext("2d", { willReadFrequently: true });
let clock = 1;
const asked = (image) => {
  const found = tasks.segmentForVideo(image, clock++ * 33);
  const mask = found.confidenceMasks[0].getAsFloat32Array();
  found.close();
  return mask;
};
const forms = {
  mediapipe: () => asked(frame),
  "mediapipe, shrunk before": () => {
    small.drawImage(frame, 0, 0, 256, 256);
    return asked(small.getImageData(0, 0, 256, 256));
  },
};
for (const name of NAMES) {
  forms[name] = () => ours[name].find(frame);
}
window.measure = async (rounds) => {
  const spent = Object.fromEntries([...Object.keys(forms), ...NAMES.map((n) => `${n}, network`)]
    .map((name) => [name, []]));
  for (let round = 0; round < rounds + 10; round++) {
    for (const [name, run] of Object.entries(forms)) {
      const began = performance.now();
      const found = await run();
      const ms = performance.now() - began;
      if (round < 10) continue;
      spent[name].push(ms);
      if (found.ms !== undefined) spent[`${name}, network`].push(found.ms);
    }
  }
  return spent;
};
window.ready = true;
</script>"""


def packed(package: str, folder: Path) -> Path:
    """A package of npm, unpacked."""
    if shutil.which("npm") is None:
        sys.exit("npm is needed: it fetches MediaPipe's packages")
    done = subprocess.run(
        ["npm", "pack", "--silent", package],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    with tarfile.open(folder / done.stdout.strip()) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    for file in (folder / "unpacked").rglob("*"):
        file.chmod(0o700)
    return folder / "unpacked/package"


def make_site(folder: Path, resolutions: list[int]) -> list[str]:
    """Everything that the page needs; names of our forms."""
    for package, name in ((TASKS, "tasks"), (SELFIE, "selfie")):
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copytree(packed(package, Path(scratch)), folder / name)
    extra = [part for each in WRITER for part in ("--with", each)]
    subprocess.run(
        ["uv", "run", "-q", "--no-project", *extra, "python", "-c", ADD_WORDS,
         str(folder / "selfie/selfie_segmentation.tflite"), str(folder / "selfie.tflite")],
        check=True, capture_output=True,
    )  # fmt: skip
    frame = cv2.resize(astronaut()[:384], (640, 480), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / "frame.png"), frame[..., ::-1])
    names = []
    for side in resolutions:
        names.append(f"sinet-{side}")
        network = pipelines.parse_network("sinet:bundled").at(side)
        request = pipelines.WebRequest(out=folder / names[-1], network=network)
        pipelines.write_web_page(request)
    (folder / "index.html").write_text(PAGE.replace("NAMES", json.dumps(names)), encoding="utf-8")
    return names


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Without a log."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def measured(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Milliseconds by form, of each round."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the browser inherits it
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page()
            page.set_default_timeout(600_000)
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.wait_for_function("window.ready")
            found: dict[str, list[float]] = page.evaluate(f"measure({rounds})")
            browser.close()
        server.shutdown()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[224, 160])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_site(Path(folder), arguments.resolutions)
        spent = measured(Path(folder), arguments.rounds)
    reference = spent["mediapipe"]
    print("| form | median ms | min ms | of MediaPipe's, frame by frame |\n|---|---|---|---|")
    for name, times in spent.items():
        ratio = statistics.median(a / b for a, b in zip(times, reference, strict=True))
        row = (name, f"{statistics.median(times):.1f}", f"{min(times):.1f}", f"{ratio:.2f} ×")
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
