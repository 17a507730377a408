"""Find the images of a data set and their masks.

Read are:

- a release: `manifest.jsonl`, `images/`, `masks/`, lists, and `checksums.txt`, written last;
- a bare folder: `images/` and `masks/` (or `input/` and `target/`, as the authors have them), a
  mask named like its image but for the suffix;
- the same with lists `train.txt`, `val.txt`, …: one name a line, its suffix may be left out;
- a folder with one sub-folder a split (`train/images`, `train/masks`, `val/images`, …).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sinet.errors import DataError

IMAGE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".jp2", ".avif"}
)
MASK_SUFFIXES: Final = frozenset({".png", ".bmp", ".tif", ".tiff", ".webp"})
_FOLDER_NAMES: Final = (("images", "masks"), ("input", "target"))


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with its mask.

    Attributes:
        name: of the image without suffix; unique in its data set.
        image: file of the picture.
        mask: file of the mask: grey, above 127 (of 255) the person.
    """

    name: str
    image: Path
    mask: Path


def find_samples(folder: Path | str, split: str | None = None) -> list[Sample]:
    """List a data set, or one of its splits, in the order of the list or of the names.

    Args:
        folder: of a layout above.
        split: `train`, `val`, …; None for everything there is.

    Raises:
        DataError: no such folder or split, an empty one, an image without mask.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder: give one with `images` and `masks` in it.")
    if (root / "manifest.jsonl").exists() and not (root / "checksums.txt").exists():
        raise DataError(f"{root}: an unfinished release, without checksums.txt: release again.")
    list_file = root / f"{split}.txt"
    if split is not None and not list_file.is_file():
        if not (root / split).is_dir():
            raise DataError(f"{root}: has neither {split}.txt nor a folder {split}.")
        return find_samples(root / split)
    images, masks = _folders(root)
    names = sorted(images)
    if split is not None:
        names = [_name(line) for line in list_file.read_text().splitlines() if line.strip()]
        absent = [name for name in names if name not in images]
        if absent:
            raise DataError(f"{list_file}: {len(absent)} images are not there, first {absent[0]}.")
    if not names:
        raise DataError(f"{root}: the split {split or 'of all images'} is empty.")
    unmasked = [name for name in names if name not in masks]
    if unmasked:
        raise DataError(f"{root}: {len(unmasked)} images have no mask, first {unmasked[0]}.")
    return [Sample(name, images[name], masks[name]) for name in names]


def hold_out(samples: Sequence[Sample], fraction: float) -> tuple[list[Sample], list[Sample]]:
    """Split off a fixed part, by a hash of the name: the same on any machine, in any order.

    Args:
        samples: to split.
        fraction: 0 to 1; about this part is held out.

    Returns:
        What is left, and what is held out.
    """
    held = {sample.name for sample in samples if _position(sample.name) < fraction}
    kept = [sample for sample in samples if sample.name not in held]
    return kept, [sample for sample in samples if sample.name in held]


def _name(line: str) -> str:
    """Return the name that a line of a list gives, without folder and suffix of an image."""
    path = Path(line.strip())
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def _position(name: str) -> float:
    """Return a place in 0..1 that depends on the name alone."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _folders(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the image and the mask files of a folder by name."""
    for image_name, mask_name in _FOLDER_NAMES:
        image_folder, mask_folder = root / image_name, root / mask_name
        if image_folder.is_dir() and mask_folder.is_dir():
            images = _by_name(image_folder.iterdir(), IMAGE_SUFFIXES)
            return images, _by_name(mask_folder.iterdir(), MASK_SUFFIXES)
    raise DataError(f"{root}: no folders `images` and `masks` in it.")


def _by_name(files: Iterable[Path], suffixes: frozenset[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in sorted(files):
        if file.suffix.lower() not in suffixes:
            continue
        if file.stem in found:
            raise DataError(f"{file}: {found[file.stem].name} has the same name; rename one.")
        found[file.stem] = file
    return found
