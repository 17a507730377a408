"""How good the engine's masks are against hand-made ones, and whether its verdicts mean something.

    python benchmarks/masks.py --shared ../shared [--limit N]

Runs detection, cropping and the ONNX DeepLabv3 over `data/crawl/flickr` (uncropped originals of
EG1800 photos) with the stage functions that `ingest` uses, and compares each photo's portrait with
its hand mask, on the part of the photo that both cover. A photo without a portrait counts 0.
Prints markdown: ways of finding the main subject, and verdict and reasons against IoU.
"""

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.ingest.stages import detect_portraits
from pipelines.masks.scores import mask_scores
from pipelines.masks.subject import (
    face_region,
    fill_holes,
    main_subject,
    nearest_face_region,
    refine_edges,
)
from pipelines.masks.verdict import judge
from pipelines.networks import Teacher, load_network, parse_network
from pipelines.pictures.decode import decode
from pipelines.pictures.detect import MtcnnDetector
from pipelines.pictures.geometry import CropBox, Face
from pipelines.work.crew import limit_library_threads
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import Settings, SubjectSettings

Mask = NDArray[np.bool_]
SETTINGS = Settings()


@dataclass(frozen=True)
class Window:
    """Where the hand mask of a photo lies, in its pixels; right and bottom exclusive."""

    name: str
    box: CropBox

    @classmethod
    def of(cls, row: Mapping[str, str]) -> "Window":
        """Of a row of `flickr_crops.csv`."""
        return cls(row["file"], (int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"])))


@dataclass(frozen=True)
class Portrait:
    """A labelled portrait beside the hand mask of its photo."""

    crop_box: CropBox
    rgb: NDArray[np.uint8]
    face: Face
    others: list[Face]
    probability: NDArray[np.float32]


@cache
def models(teacher: Path | str) -> tuple[MtcnnDetector, Teacher]:
    """Detector and teacher of this process; an exported network's file, or a network's name."""
    import torch

    torch.set_num_threads(1)
    limit_library_threads(1)
    name = teacher if isinstance(teacher, str) else f"onnx:{teacher}"
    network = load_network(parse_network(name), device="cpu")
    return MtcnnDetector(SETTINGS.detector), network


def label(photo: Path, teacher: Path) -> list[Portrait]:
    """All portraits of a photo."""
    detector, network = models(teacher)
    found = detect_portraits([photo.read_bytes()], detector, SETTINGS)[0]
    if isinstance(found, ItemError):
        return []  # `ingest` makes nothing of it either
    portraits = []
    for portrait in found.portraits:
        rgb = decode(portrait.jpeg, max_pixels=SETTINGS.decode.max_pixels).rgb
        others = [portrait.crop.face(face) for face in found.faces if face.box != portrait.face.box]
        face = portrait.crop.face(portrait.face)
        probability = network.person_probability([rgb])[0]
        portraits.append(Portrait(portrait.crop.box, rgb, face, others, probability))
    return portraits


def hand_mask(folder: Path, window: Window) -> Mask:
    """The hand mask of a photo at the photo's own scale, (y1 − y0, x1 − x0)."""
    x0, y0, x1, y1 = window.box
    file = folder / f"{Path(window.name).stem}.png"
    grey = decode(file.read_bytes(), max_pixels=10**8).rgb[..., 0]
    soft = cv2.resize(grey.astype(np.float32) / 255, (x1 - x0, y1 - y0))
    return np.asarray(soft > 0.5)


def overlap(portrait: Portrait, mask: Mask, window: Window, hand: Mask) -> tuple[Mask, Mask]:
    """Both masks on the part of the photo that both cover."""
    px0, py0, px1, py1 = portrait.crop_box
    wx0, wy0, wx1, wy1 = window.box
    x0, y0, x1, y1 = max(px0, wx0), max(py0, wy0), min(px1, wx1), min(py1, wy1)
    return (
        mask[y0 - py0 : y1 - py0, x0 - px0 : x1 - px0],
        hand[y0 - wy0 : y1 - wy0, x0 - wx0 : x1 - wx0],
    )


def iou(mask: Mask, hand: Mask) -> float:
    """Foreground intersection over union; 1 if both are empty."""
    union = int((mask | hand).sum())
    return int((mask & hand).sum()) / union if union else 1.0


def main_portrait(portraits: Sequence[Portrait], window: Window, hand: Mask) -> Portrait | None:
    """The portrait whose face the hand mask shows; the larger of two."""

    def shown(portrait: Portrait) -> float:
        face = np.zeros(portrait.probability.shape, np.bool_)
        x0, y0, x1, y1 = (max(0, round(edge)) for edge in portrait.face.box)
        face[y0:y1, x0:x1] = True
        ours, theirs = overlap(portrait, face, window, hand)
        return float((ours & theirs).sum())

    return max(portraits, key=shown) if portraits else None


def plain(portrait: Portrait, threshold: float = 0.5) -> Mask:
    """The probability as it is."""
    return np.asarray(portrait.probability > threshold)


def rivals(portrait: Portrait, settings: SubjectSettings) -> list[Face]:
    """Faces that claim a body of their own."""
    return [
        face
        for face in portrait.others
        if face.confidence >= settings.bystander_confidence
        and face.height >= settings.bystander_height_in_faces * portrait.face.height
    ]


def region_of_face(portrait: Portrait) -> Mask:
    """The connected region under the face, of the plain probability."""
    return face_region(plain(portrait), portrait.face)


def region_and_nearest(portrait: Portrait) -> Mask:
    """The same, parted from other people's faces by distance in face heights."""
    mask, others = plain(portrait), rivals(portrait, SETTINGS.subject)
    if others:
        mask &= nearest_face_region(mask.shape, portrait.face, others)
    return face_region(mask, portrait.face)


def refined_region(portrait: Portrait) -> Mask:
    """Edges drawn to the photo, then the region under the face."""
    soft = refine_edges(portrait.probability, portrait.rgb, SETTINGS.subject)
    return face_region(np.asarray(soft > SETTINGS.subject.threshold), portrait.face)


def refined_and_filled(portrait: Portrait) -> Mask:
    """Without parting people."""
    return fill_holes(refined_region(portrait))


def as_shipped(portrait: Portrait) -> Mask:
    """What `ingest` stores."""
    return main_subject(
        portrait.probability, portrait.rgb, portrait.face, portrait.others, SETTINGS.subject
    )


WAYS: dict[str, Callable[[Portrait], Mask]] = {
    "p > 0.5": plain,
    "+ region of the face": region_of_face,
    "+ parted from other faces": region_and_nearest,
    "refined edges + region of the face": refined_region,
    "refined + region + holes filled": refined_and_filled,
    "**refined + parted + region + holes filled** (`ingest`)": as_shipped,
}


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a markdown table; the first row is its head."""
    yield "| " + " | ".join(rows[0]) + " |"
    yield "|" + "---|" * len(rows[0])
    for row in rows[1:]:
        yield "| " + " | ".join(row) + " |"


def print_ways(pairs: Sequence[tuple[Portrait | None, Window, Mask]]) -> None:
    """Mean and median IoU of each way of finding the main subject."""
    rows = [["way", "mean IoU", "median", "IoU ≥ 0.95", "IoU < 0.90"]]
    for name, way in WAYS.items():
        found = np.array(
            [0.0 if p is None else iou(*overlap(p, way(p), w, hand)) for p, w, hand in pairs]
        )
        rows.append(
            [
                name,
                f"{found.mean():.4f}",
                f"{np.median(found):.4f}",
                f"{(found >= 0.95).mean():.1%}",
                f"{(found < 0.9).mean():.1%}",
            ]
        )
    print(*table(rows), sep="\n")


def print_verdicts(pairs: Sequence[tuple[Portrait | None, Window, Mask]]) -> None:
    """What verdicts and reasons say of the IoU."""
    by_verdict: dict[str, list[float]] = defaultdict(list)
    by_reason: dict[str, list[float]] = defaultdict(list)
    for portrait, window, hand in pairs:
        if portrait is None:
            continue
        mask = as_shipped(portrait)
        scores = mask_scores(
            mask, portrait.rgb, portrait.face, portrait.others, portrait.probability
        )
        verdict, reasons = judge(scores, SETTINGS.verdict)
        found = iou(*overlap(portrait, mask, window, hand))
        by_verdict[str(verdict)].append(found)
        for reason in [str(each) for each in reasons] or ["(none)"]:
            by_reason[reason].append(found)
    good = sum(value >= 0.95 for values in by_verdict.values() for value in values)
    for title, groups in (("verdict", by_verdict), ("reason", by_reason)):
        rows = [[title, "masks", "IoU ≥ 0.95", "share of all such", "IoU < 0.90", "mean IoU"]]
        for name, values in sorted(groups.items(), key=lambda item: -len(item[1])):
            fine, bad = sum(v >= 0.95 for v in values), sum(v < 0.9 for v in values)
            rows.append(
                [
                    name,
                    str(len(values)),
                    str(fine),
                    f"{fine / good:.1%}",
                    f"{bad} ({bad / len(values):.1%})",
                    f"{np.mean(values):.4f}",
                ]
            )
        print("", *table(rows), sep="\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--limit", type=int, default=None, help="only so many photos")
    options = parser.parse_args()
    crawl = options.shared / "data/crawl"
    teacher = options.shared / "weights/deeplabv3_mobilenetv2_voc.onnx"
    with (crawl / "flickr_crops.csv").open() as file:
        windows = [Window.of(row) for row in csv.DictReader(file)][: options.limit]
    photos = [crawl / "flickr" / window.name for window in windows]
    with ProcessPoolExecutor() as pool:
        labelled = list(pool.map(label, photos, [teacher] * len(photos), chunksize=4))
    pairs = []
    for portraits, window in zip(labelled, windows, strict=True):
        hand = hand_mask(options.shared / "data/eg1800/masks", window)
        pairs.append((main_portrait(portraits, window, hand), window, hand))
    nothing = Counter(portrait is None for portrait, _, _ in pairs)[True]
    print(f"{len(pairs)} photos, {nothing} of them without a portrait\n")
    print_ways(pairs)
    print_verdicts(pairs)


if __name__ == "__main__":
    main()
