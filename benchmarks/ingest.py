"""How fast `ingest` is: against a naive script, against its own stages, in memory, the second time.

    python benchmarks/ingest.py --shared ../shared [--part speed|recall|memory|all] [--rounds 3]

speed   rounds of: the naive script; every stage alone, one process a core; `ingest`. Only ratios
        within a round are compared, since a shared machine's speed drifts.
recall  faces that MTCNN finds on full-size images of `data/crawl` and the engine finds as well.
memory  peak of all processes with 300 and with 3,000 distinct files; then a second run over these.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import psutil
from facenet_pytorch import MTCNN

from pipelines.ingest.models import Models
from pipelines.ingest.request import IngestRequest
from pipelines.ingest.run import ingest_photos
from pipelines.ingest.scan import scan
from pipelines.ingest.stages import DetectedImage, detect_portraits, label_portraits, read_file
from pipelines.masks.judging import JudgedMask, PortraitInput
from pipelines.pictures.decode import decode, encode_jpeg
from pipelines.pictures.detect import MtcnnDetector
from pipelines.pictures.geometry import box_iou
from pipelines.workspace.errors import ItemError
from pipelines.workspace.progress import Silent
from pipelines.workspace.settings import Settings, TeacherSettings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.uris import file_uri, read_bytes
from pipelines.workspace.workspace import Workspace, make_workspace

CORES = len(os.sched_getaffinity(0))
NAIVE_FILES = 40
STAGE_FILES = 60
BATCH = 4
POLL_SECONDS = 0.1


class Clock(Silent):
    """Notes when how many files were done."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def begin(self, what: str, total: int | None, unit: str = "", *, done: int = 0) -> None:
        """Scanning and starting are not timed."""
        del what, total, unit, done
        self.seen.clear()

    def advance(self, number: int = 1, note: str = "") -> None:
        """One batch more."""
        del note
        before = self.seen[-1][1] if self.seen else 0
        self.seen.append((time.perf_counter(), before + number))

    def steady_rate(self) -> float:
        """Files/s from the moment every worker was at work to the very end."""
        start, done = next(point for point in self.seen if point[1] >= 2 * CORES * BATCH)
        end, total = self.seen[-1]
        return (total - done) / (end - start)


def settings_for(teacher: Path) -> Settings:
    """The defaults, with the ONNX teacher."""
    return Settings(teacher=TeacherSettings(name=f"onnx:{teacher}"))


def new_workspace(root: Path, settings: Settings) -> Workspace:
    """An empty workspace."""
    make_workspace(root, "")
    return Workspace(root, settings)


def ours(photos: Sequence[Path], settings: Settings) -> float:
    """Files/s of `ingest` at steady state."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        workspace = new_workspace(Path(folder) / "ws", settings)
        try:
            ingest_photos(workspace, IngestRequest(paths=photos), clock)
        finally:
            workspace.close()
    return clock.steady_rate()


def naive(photos: Sequence[Path], teacher: Path) -> float:
    """Files/s of the naive script, started anew."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(__file__).with_name("naive.py")
        command = [sys.executable, str(script), str(teacher), folder, *map(str, photos)]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return float(answer["files"] / answer["seconds"])


def stage_worker(
    photos: Sequence[Path], settings: Settings, barrier: Barrier, answers: "Queue[list[float]]"
) -> None:
    """One core's part of every stage, each stage started together with the other cores."""
    models = Models(settings, threads=1)
    _ = models.detector, models.teacher
    chunks = [photos[start : start + BATCH] for start in range(0, len(photos), BATCH)]

    def timed(work: Callable[[], object]) -> float:
        barrier.wait()
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    with tempfile.TemporaryDirectory() as folder:
        store = new_workspace(Path(folder) / "ws", settings).store
        files = [[path.read_bytes() for path in chunk] for chunk in chunks]
        detected: list[list[DetectedImage | ItemError]] = []
        labelled: list[list[JudgedMask | ItemError]] = []

        def read() -> None:
            for path in photos:
                uri = file_uri(path)
                read_file(read_bytes(uri, max_bytes=settings.decode.max_bytes), uri)

        def detect() -> None:
            detected.extend(detect_portraits(chunk, models.detector, settings) for chunk in files)

        def label() -> None:
            for chunk in detected:
                inputs = [
                    PortraitInput(
                        portrait.jpeg,
                        portrait.crop.face(portrait.face),
                        [],
                    )
                    for image in chunk
                    if not isinstance(image, ItemError)
                    for portrait in image.portraits
                ]
                labelled.append(label_portraits(inputs, models.teacher, settings) if inputs else [])

        def write() -> None:
            for images, masks in zip(detected, labelled, strict=True):
                for image in images:
                    if not isinstance(image, ItemError):
                        for portrait in image.portraits:
                            store.put(BlobKind.PORTRAIT, portrait.jpeg)
                for mask in masks:
                    if not isinstance(mask, ItemError):
                        store.put(BlobKind.MASK, mask.png)
                        assert mask.probability_png is not None  # a teacher has one
                        store.put(BlobKind.PROBABILITY, mask.probability_png)

        detect_portraits(files[0], models.detector, settings)  # warm-up
        seconds = [timed(stage) for stage in (read, detect, label, write)]
    answers.put(seconds)


def stages(photos: Sequence[Path], settings: Settings) -> dict[str, float]:
    """Core-milliseconds a file of each stage, run alone on all cores."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(CORES), context.Queue()
    parts = [photos[core::CORES] for core in range(CORES)]
    workers = [
        context.Process(target=stage_worker, args=(part, settings, barrier, answers))
        for part in parts
    ]
    for worker in workers:
        worker.start()
    seconds = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    names = ("read", "decode + detect + crop", "teacher + mask + scores", "write")
    return {
        name: 1000 * sum(column) / len(photos)
        for name, column in zip(names, zip(*seconds, strict=True), strict=True)
    }


def speed(shared: Path, rounds: int) -> None:
    """Ratios to the naive script and to the sum of the stages."""
    photos = sorted((shared / "data/crawl/flickr").glob("*.jpg"))
    teacher = shared / "weights/deeplabv3_mobilenetv2_voc.onnx"
    settings = settings_for(teacher)
    rows = []
    for number in range(rounds):
        alone = stages(photos[:STAGE_FILES], settings)
        bound = 1000 * CORES / sum(alone.values())
        base, rate = naive(photos[:NAIVE_FILES], teacher), ours(photos, settings)
        rows.append((base, bound, rate, rate / base, rate / bound))
        parts = ", ".join(f"{name} {ms:.1f}" for name, ms in alone.items())
        print(
            f"round {number + 1}: naive {base:.2f}/s, stages allow {bound:.2f}/s, ingest "
            f"{rate:.2f}/s = {rate / base:.2f} x naive = {rate / bound:.2f} of the stages "
            f"(core-ms a file: {parts})",
            flush=True,
        )
    middle = [statistics.median(column) for column in zip(*rows, strict=True)]
    print(f"median: {middle[3]:.2f} x naive, {middle[4]:.2f} of what the stages allow")


def recall(shared: Path) -> None:
    """Faces of the full-size detector that the engine's reduced copies keep."""
    settings = Settings()
    for min_face_px in (settings.detector.min_face_px, 80.0):
        small = MtcnnDetector(settings.detector.model_copy(update={"min_face_px": min_face_px}))
        # facenet-pytorch's own, as it comes: its pyramid, its thresholds, the image as it is.
        full = MTCNN(keep_all=True, min_face_size=round(min_face_px))
        wanted = kept = 0
        for file in scan([shared / "data/crawl"]):
            try:
                data = read_bytes(file.uri, max_bytes=settings.decode.max_bytes)
                image = decode(data, max_pixels=settings.decode.max_pixels).rgb
            except ItemError:
                continue
            if min(image.shape[:2]) < min_face_px:
                continue  # no such face fits in, and MTCNN raises
            boxes, confidences = full.detect(image)
            faces = [
                (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
                for box, confidence in zip(
                    [] if boxes is None else boxes, confidences, strict=boxes is not None
                )
                if confidence >= settings.detector.min_confidence and box[3] - box[1] >= min_face_px
            ]
            found = [
                face.box
                for face in (small.detect([image])[0] if faces else [])
                if face.confidence >= settings.detector.min_confidence
            ]
            wanted += len(faces)
            kept += sum(any(box_iou(face, box) > 0.5 for box in found) for face in faces)
        print(f"faces from {min_face_px:.0f} px: {kept} of {wanted} = {kept / wanted:.2%}")


def distinct_copies(shared: Path, folder: Path, count: int) -> None:
    """Re-cropped, re-encoded copies of the crawl's photos, all of them different images."""
    photos = sorted((shared / "data/crawl/flickr").glob("*.jpg"))
    for index in range(count):
        rgb = decode(photos[index % len(photos)].read_bytes(), max_pixels=10**9).rgb
        cut = index // len(photos)
        crop = np.ascontiguousarray(rgb[cut : rgb.shape[0] - cut, cut : rgb.shape[1] - cut])
        (folder / f"{index:05d}.jpg").write_bytes(encode_jpeg(crop, 85))


def peak_memory(command: Sequence[str]) -> tuple[float, float]:
    """Peak of the proportional memory of a command with its children, in MiB, and seconds."""
    started = time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        total = 0
        for member in [process, *process.children(recursive=True)]:
            try:
                total += member.memory_full_info().pss
            except psutil.Error:
                continue
        peak = max(peak, total)
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return peak / 2**20, time.perf_counter() - started


def memory(shared: Path, count: int) -> None:
    """Memory of a small and a large crawl; and how fast a second run finds nothing to do."""
    teacher = f"onnx:{shared / 'weights/deeplabv3_mobilenetv2_voc.onnx'}"
    executable = str(Path(sys.executable).with_name("dataengine"))
    peaks = []
    for number in (count // 10, count):
        with tempfile.TemporaryDirectory() as folder:
            crawl, workspace = Path(folder) / "crawl", Path(folder) / "ws"
            crawl.mkdir()
            distinct_copies(shared, crawl, number)
            command = [executable, "-w", str(workspace), "ingest", str(crawl), "--teacher", teacher]
            peak, seconds = peak_memory(command)
            peaks.append(peak)
            print(f"{number:,} files: peak {peak:,.0f} MiB, {seconds:.0f} s", flush=True)
            if number == count:
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                again = time.perf_counter() - started
                print(f"second run: {again:.2f} s in all = {number / again:,.0f} files/s")
    print(f"memory with ten times the files: {peaks[1] / peaks[0]:.2f} x")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--part", choices=("speed", "recall", "memory", "all"), default="all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=3000, help="of the larger crawl of `memory`")
    options = parser.parse_args()
    shared = options.shared.resolve()
    if options.part in ("speed", "all"):
        speed(shared, options.rounds)
    if options.part in ("recall", "all"):
        recall(shared)
    if options.part in ("memory", "all"):
        memory(shared, options.files)


if __name__ == "__main__":
    main()
