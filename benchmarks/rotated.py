"""Faces that lie in their photos: how many are found, how many are false, and what it costs.

    python benchmarks/rotated.py --shared ../shared [--part cost|found|false|all] [--teacher NAME]

cost    processor time of `ingest` with and without looking again, in turns, on every ninth photo
        of `data/crawl/web`, of which as many are faceless as in all of it. On one core, as each
        worker has it: threads that wait for each other would count as work.
found   photos of `data/crawl/flickr` with a sure face, rotated by 90, 180 and 270 degrees.
false   photos of `data/crawl/web` that show no sure face, and those that do: how many are taken to
        be rotated.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.ingest.request import IngestRequest
from pipelines.ingest.run import ingest_photos
from pipelines.pictures.decode import decode
from pipelines.pictures.detect import MtcnnDetector
from pipelines.pictures.looking_again import Image
from pipelines.pictures.rotation import rotated
from pipelines.workspace.settings import (
    DetectorSettings,
    EngineSettings,
    Settings,
    TeacherSettings,
)
from pipelines.workspace.workspace import Workspace, make_workspace

EVERY = 9
ROUNDS = 3


def processor_seconds(photos: Sequence[Path], teacher: str, *, look_again: bool) -> float:
    """Of an ingest of these photos in this process."""
    settings = Settings(
        detector=DetectorSettings(look_again=look_again),
        teacher=TeacherSettings(name=teacher),
        engine=EngineSettings(workers=0, device="cpu"),
    )
    with tempfile.TemporaryDirectory() as folder:
        make_workspace(Path(folder) / "ws", "")
        workspace = Workspace(Path(folder) / "ws", settings)
        started = time.process_time()
        try:
            ingest_photos(workspace, IngestRequest(paths=photos))
        finally:
            workspace.close()
        return time.process_time() - started


def cost(shared: Path, teacher: str) -> None:
    """The share of processor time that looking again adds."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    photos = sorted((shared / "data/crawl/web/images").iterdir())[::EVERY]
    processor_seconds(photos[:20], teacher, look_again=True)  # warm-up
    spent = {False: 0.0, True: 0.0}
    for number in range(ROUNDS):
        part = photos[number::ROUNDS]
        for look_again in (False, True, True, False):
            spent[look_again] += processor_seconds(part, teacher, look_again=look_again)
        print(
            f"{teacher}: {len(part)} photos: {spent[False]:.1f} s without, {spent[True]:.1f} s "
            f"with: {spent[True] / spent[False]:.3f} x",
            flush=True,
        )


def pictures(folder: Path) -> Iterator[Image]:
    """Decoded photos."""
    for path in sorted(folder.iterdir()):
        yield decode(path.read_bytes(), max_pixels=10**9).rgb


def seen(detector: MtcnnDetector, image: Image) -> int | None:
    """The rotation of the faces that are sure enough for a portrait; None: there are none."""
    (faces,) = detector.detect([image])
    limits = DetectorSettings()
    sure = [face for face in faces if face.confidence >= limits.min_confidence]
    return sure[0].rotation if sure else None


def detectors() -> tuple[MtcnnDetector, MtcnnDetector]:
    """One that looks once, and one that looks again."""
    return MtcnnDetector(DetectorSettings(look_again=False)), MtcnnDetector(DetectorSettings())


def found(shared: Path) -> None:
    """Rotated copies of ordinary photos."""
    before, now = (
        MtcnnDetector(DetectorSettings(look_again=False)),
        MtcnnDetector(DetectorSettings()),
    )
    told: Counter[str] = Counter()
    for image in pictures(shared / "data/crawl/flickr"):
        if seen(before, image) is None:
            continue
        for rotation in (90, 180, 270):
            told["copies"] += 1
            copy = rotated(image, rotation)
            told["found before"] += seen(before, copy) is not None
            match seen(now, copy):
                case None:
                    told["missed"] += 1
                case 0:
                    told["taken to be upright"] += 1
                case other:
                    told["right" if (rotation + other) % 360 == 0 else "another rotation"] += 1
    print(dict(told))


def false(shared: Path) -> None:
    """Photos as they were found in the web."""
    before, now = (
        MtcnnDetector(DetectorSettings(look_again=False)),
        MtcnnDetector(DetectorSettings()),
    )
    told: Counter[str] = Counter()
    for path in sorted((shared / "data/crawl/web/images").iterdir()):
        image = decode(path.read_bytes(), max_pixels=10**9).rgb
        kind = "faceless" if seen(before, image) is None else "with a face"
        told[kind] += 1
        rotation = seen(now, image)
        if rotation:
            told[f"{kind}, taken to be rotated"] += 1
            print(f"  {path.name}: {kind}, {rotation} degrees")
        if kind == "faceless" and rotation == 0:
            told["faceless, a face in the mirror"] += 1
    print(dict(told))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--part", choices=("cost", "found", "false", "all"), default="all")
    parser.add_argument("--teacher", help="default the ONNX DeepLabv3 of `weights`")
    options = parser.parse_args()
    shared = options.shared.resolve()
    teacher = options.teacher or f"onnx:{shared / 'weights/deeplabv3_mobilenetv2_voc.onnx'}"
    if options.part in ("cost", "all"):
        cost(shared, teacher)
    if options.part in ("found", "all"):
        found(shared)
    if options.part in ("false", "all"):
        false(shared)


if __name__ == "__main__":
    main()
