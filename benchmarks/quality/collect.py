"""What a teacher says of every photo in every view, kept so that nothing is computed twice.

    python -m benchmarks.quality.collect CACHE [--shared ../shared] [--teacher NETWORK]

Writes CACHE/SET/NAME.npz, SET one of `eg1800`, `flickr`, `street`, `faces`: face, other faces, the
mask as `ingest` makes it, its IoU with the hand mask, and the probabilities of all views on
256-pixel copies. The photos of EG1800 are portrait crops already and are labelled whole; those of
`crawl/flickr` and `webval` are cropped as `ingest` does.
"""

import argparse
import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.masks import Portrait, Window, hand_mask, iou, main_portrait, models, overlap
from benchmarks.quality.data import read_mask, read_rgb
from pipelines.ingest.stages import choose_faces, detect_portraits
from pipelines.masks.subject import main_subject
from pipelines.networks.views import Views, probability_views
from pipelines.pictures.decode import decode
from pipelines.pictures.geometry import Face
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import Settings
from sinet.data.listing import find_samples

SETTINGS = Settings()
SIDE_PX = 256


def shrunk(values: NDArray[Any]) -> NDArray[Any]:
    """A copy whose longer side has 256 pixels."""
    scale = min(1.0, SIDE_PX / max(values.shape[:2]))
    size = (round(values.shape[1] * scale), round(values.shape[0] * scale))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA))


def as_array(faces: list[Face]) -> NDArray[np.float64]:
    """Faces as rows: box, confidence, five landmarks."""
    rows = [[*face.box, face.confidence, *np.ravel(face.landmarks)] for face in faces]
    return np.asarray(rows, np.float64).reshape(-1, 15)


def keep(
    path: Path, rgb: NDArray[np.uint8], face: Face, others: list[Face], views: Views, **more: Any
) -> None:
    """Write what one portrait's scores need."""
    mask = main_subject(views.plain, rgb, face, others, SETTINGS.subject)
    agreement = more.pop("iou_of")(mask)
    plain = more.pop("plain_iou_of", lambda _: np.nan)(views.plain > 0.5)
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(
        partial,
        size=rgb.shape[:2],
        face=as_array([face])[0],
        others=as_array(others),
        mask=np.packbits(mask),
        iou=agreement,
        plain_iou=plain,
        rgb=shrunk(rgb),
        **{
            name: np.rint(shrunk(getattr(views, name)) * 255).astype(np.uint8)
            for name in ("plain", "mirrored", "smaller", "larger")
        },
    )
    partial.replace(path)


def portraits(data: Path, teacher: Path | str, out: Path) -> Iterator[str]:
    """EG1800: the face that the hand mask shows; a photo without a face yields no portrait."""
    detector, network = models(teacher)
    samples = [each for split in ("val", "train") for each in find_samples(data, split)]
    for sample in samples:
        path = out / f"{sample.name}.npz"
        if path.exists() or path.with_suffix(".none").exists():
            continue
        rgb, hand = read_rgb(sample.image), read_mask(sample.mask)
        faces = detector.detect([rgb])[0]
        kept, _ = choose_faces(faces, SETTINGS.detector)
        if not kept:
            path.with_suffix(".none").touch()
            yield f"{sample.name}: no face"
            continue
        face = max(kept, key=lambda each: shown(hand, each))
        others = [each for each in faces if each is not face]
        (views,) = probability_views(network.person_probability, [rgb])
        keep(
            path, rgb, face, others, views,
            iou_of=lambda mask, hand=hand: iou(mask, hand),
            plain_iou_of=lambda mask, hand=hand: iou(mask, hand),
        )  # fmt: skip
        yield sample.name


def shown(hand: NDArray[np.bool_], face: Face) -> float:
    """How many pixels of a face box the hand mask covers."""
    x0, y0, x1, y1 = (max(0, round(edge)) for edge in face.box)
    return float(hand[y0:y1, x0:x1].sum())


@dataclass(frozen=True)
class Photo:
    """A photo that is cropped as `ingest` does, and where its hand mask lies."""

    file: Path
    masks: Path
    window: Window


def flickr(shared: Path) -> Iterator[Photo]:
    """`crawl/flickr`: the hand masks are EG1800's, of a part of each photo."""
    with (shared / "data/crawl/flickr_crops.csv").open() as file:
        for row in csv.DictReader(file):
            window = Window.of(row)
            folder = shared / "data"
            yield Photo(folder / "crawl/flickr" / window.name, folder / "eg1800/masks", window)


def whole(data: Path) -> Iterator[Photo]:
    """A folder of `webval`: the hand masks are of the whole photos."""
    for sample in find_samples(data, "val"):
        assert isinstance(sample.image, Path)  # there are no archives in `webval`
        height, width = read_mask(sample.mask).shape
        window = Window(sample.image.name, (0, 0, width, height))
        yield Photo(sample.image, data / "masks", window)


def crawl(photos: Iterable[Photo], teacher: Path | str, out: Path) -> Iterator[str]:
    """Of each photo the portrait whose face the hand mask shows."""
    detector, network = models(teacher)
    for photo in photos:
        window = photo.window
        path = out / f"{photo.file.stem}.npz"
        if path.exists() or path.with_suffix(".none").exists():
            continue
        hand = hand_mask(photo.masks, window)
        found = detect_portraits([photo.file.read_bytes()], detector, SETTINGS)[0]
        if isinstance(found, ItemError):
            raise found
        candidates = []
        for portrait in found.portraits:
            rgb = decode(portrait.jpeg, max_pixels=SETTINGS.decode.max_pixels).rgb
            faces = [face for face in found.faces if face.box != portrait.face.box]
            others = [portrait.crop.face(face) for face in faces]
            face = portrait.crop.face(portrait.face)
            blank = np.zeros(rgb.shape[:2], np.float32)
            candidates.append(Portrait(portrait.crop.box, rgb, face, others, blank))
        chosen = main_portrait(candidates, window, hand)
        if chosen is None:
            path.with_suffix(".none").touch()
            yield f"{window.name}: no face"
            continue
        (views,) = probability_views(network.person_probability, [chosen.rgb])
        keep(
            path, chosen.rgb, chosen.face, chosen.others, views,
            iou_of=lambda mask, c=chosen, w=window, h=hand: iou(*overlap(c, mask, w, h)),
            plain_iou_of=lambda mask, c=chosen, w=window, h=hand: iou(*overlap(c, mask, w, h)),
        )  # fmt: skip
        yield window.name


def main() -> None:
    """Ask the teacher."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--teacher", help="default the ONNX DeepLabv3 of the reference data")
    options = parser.parse_args()
    teacher = options.teacher or options.shared / "weights/deeplabv3_mobilenetv2_voc.onnx"
    for number, line in enumerate(collect(options.shared, options.cache, teacher)):
        if number % 50 == 0:
            print(f"{number}: {line}", flush=True)


def collect(shared: Path, cache: Path, teacher: Path | str) -> Iterator[str]:
    """Ask a teacher about the photos of each set that are not there."""
    cropped = {
        "flickr": flickr(shared),
        "street": whole(shared / "data/webval/street"),
        "faces": whole(shared / "data/webval/faces"),
    }
    for name in ("eg1800", *cropped):
        (cache / name).mkdir(parents=True, exist_ok=True)
    for name, photos in cropped.items():
        yield from crawl(photos, teacher, cache / name)
    yield from portraits(shared / "data/eg1800", teacher, cache / "eg1800")


if __name__ == "__main__":
    main()
