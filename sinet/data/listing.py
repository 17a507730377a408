"""Find the images of a data set and their masks.

Read are:

- a release: `manifest.jsonl`, `images/`, `masks/`, lists, and `checksums.txt`, written last;
- a bare folder: `images/` and `masks/` (or `input/` and `target/`, as the authors have them), a
  mask named like its image: see `sinet.files.pairing`;
- the same with lists `train.txt`, `val.txt`, …: one name a line, its suffix may be left out;
- a folder with one sub-folder a split (`train/images`, `train/masks`, `val/images`, …);
- tar archives `SPLIT-NNNNNN.tar`: see `shards`. Nothing is unpacked.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sinet.data.shards import pairs_of_shards, shards
from sinet.errors import DataError
from sinet.files.leftovers import left_out
from sinet.files.members import Member
from sinet.files.pairing import pair, stem
from sinet.files.releases import CHECKSUMS_FILE, MANIFEST_FILE
from sinet.pictures.class_masks import ClassList
from sinet.pictures.mask_options import SELF_EXPLAINING, MaskOptions

FOLDERS = (("images", "masks"), ("input", "target"))

File: TypeAlias = Path | Member
"""Of a folder, or in a tar archive."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with its mask.

    Attributes:
        name: of the image without suffix; unique in its data set.
        image: file of the picture.
        mask: file of the mask.
        masks: what its maker says of it.
        classes: that the mask has; None: person and background.
    """

    name: str
    image: File
    mask: File
    masks: MaskOptions = SELF_EXPLAINING
    classes: ClassList | None = None


def find_samples(
    folder: Path | str,
    split: str | None = None,
    masks: MaskOptions = SELF_EXPLAINING,
    folders: Sequence[tuple[str, str]] = FOLDERS,
) -> list[Sample]:
    """List a data set, or one of its splits, in the order of the list or of the names.

    Args:
        folder: of a layout above.
        split: `train`, `val`, …; None for everything there is.
        masks: what their maker says of the masks.
        folders: how those of the images and of the masks may be called.

    Raises:
        DataError: no such folder or split, an empty one, an image without mask, two that might
            have the same one.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder: give one with `images` and `masks` in it.")
    if (root / MANIFEST_FILE).exists() and not (root / CHECKSUMS_FILE).exists():
        raise DataError(f"{root}: an unfinished release, without {CHECKSUMS_FILE}: release again.")
    if folders == FOLDERS and (archives := shards(root, split)):
        found = pairs_of_shards(archives)
        return [Sample(name, image, mask, masks) for name, image, mask in found]
    list_file = root / f"{split}.txt"
    if split is not None and not list_file.is_file():
        if not (root / split).is_dir():
            raise DataError(f"{root}: has neither {split}.txt nor a folder {split}.")
        return find_samples(root / split, None, masks, folders)
    images, files = _folders(root, folders)
    names = sorted(images)
    if split is not None:
        lines = list_file.read_text().splitlines()
        names = [stem(line.strip()) for line in lines if line.strip()]
        absent = [name for name in names if name not in images]
        if absent:
            raise DataError(f"{list_file}: {len(absent)} images are not there, first {absent[0]}.")
    if not names:
        raise DataError(f"{root}: the split {split or 'of all images'} is empty.")
    pairs = pair((images[name].name for name in names), files)
    for clash in pairs.ambiguous.values():
        raise DataError(f"{root}: whose mask is it? {clash}; rename them.")
    unmasked = [name for name in names if images[name].name in pairs.missing]
    if unmasked:
        near = pairs.missing[images[unmasked[0]].name]
        hint = f" (nearly its name has {', '.join(near)})" if near else ""
        raise DataError(f"{root}: {len(unmasked)} images have no mask, first {unmasked[0]}{hint}.")
    masked = {name: files[pairs.found[images[name].name]] for name in names}
    return [Sample(name, images[name], masked[name], masks) for name in names]


def unused_masks(samples: Iterable[Sample]) -> str | None:
    """Name masks that lie beside those of the samples and belong to no image; None: there are none.

    Such a mask is mistyped more often than it is superfluous.
    """
    folders = {
        (sample.image.parent, sample.mask.parent)
        for sample in samples
        if isinstance(sample.image, Path)
    }
    found = [
        folder / name
        for images, folder in sorted(folders)
        for name in pair(
            (file.name for file in _pictures(images)), (file.name for file in _pictures(folder))
        ).unused
    ]
    if not found:
        return None
    first = ", ".join(map(str, found[:_NAMED]))
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return f"{len(found):,} masks belong to no image: {first}{more}"


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


def _position(name: str) -> float:
    """Return a place in 0..1 that depends on the name alone."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _folders(
    root: Path, names: Sequence[tuple[str, str]]
) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the images of a folder by name, and its masks by file name."""
    for image_name, mask_name in names:
        image_folder, mask_folder = root / image_name, root / mask_name
        if image_folder.is_dir() and mask_folder.is_dir():
            masks = {file.name: file for file in _pictures(mask_folder)}
            return _by_name(_pictures(image_folder)), masks
    wanted, beside = names[0]
    raise DataError(f"{root}: no folders `{wanted}` and `{beside}` in it.")


def _pictures(folder: Path) -> list[Path]:
    """Files that may be pictures: whatever is not known to be something else."""
    return sorted(
        file for file in folder.iterdir() if left_out(file.name) is None and file.is_file()
    )


def _by_name(files: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in files:
        first = found.setdefault(stem(file.name), file)
        if first != file:
            raise DataError(f"{file}: {first.name} has the same name; rename one.")
    return found
