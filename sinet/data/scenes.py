"""Data sets of more than two classes: a folder with classes.txt, Cityscapes, CamVid.

- any folder that `listing` reads, with `classes.txt` in it: a name a line, the first is class 0, as
  `road` or, for masks in colour, `road #804080`; lines that begin with # are comments;
- Cityscapes: `leftImg8bit/SPLIT/CITY/…_leftImg8bit.png` and `gtFine/SPLIT/CITY/…_gtFine_` with
  `labelTrainIds.png` or, without those, `labelIds.png`; 19 classes;
- CamVid as SegNet's authors prepared it: `train`, `trainannot`, `val`, …; 11 classes.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sinet.data.listing import Sample, find_samples
from sinet.errors import DataError
from sinet.files.pairing import stem
from sinet.labels import IGNORED
from sinet.pictures.class_masks import ClassList

CLASSES_FILE: Final = "classes.txt"

_MOST_CLASSES: Final = 254
_LINE: Final = re.compile(r"(?P<name>.*?)(?:\s+#(?P<colour>[0-9a-fA-F]{6}))?")
_SPLITS: Final = ("train", "val", "test")

_IMAGES, _LABELS = "leftImg8bit", "gtFine"
# Of the same pixels; what is trained on, where it is there.
_CITYSCAPES_MASKS: Final = (f"{_LABELS}_labelTrainIds", f"{_LABELS}_labelIds")
CITYSCAPES: Final = ClassList(
    names=(
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
        "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
        "motorcycle", "bicycle",
    )
)  # fmt: skip
_CITYSCAPES_IDS: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
CAMVID: Final = ClassList(
    names=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car",
        "pedestrian", "bicyclist",
    ),
    ignored=(11, IGNORED),
)  # fmt: skip


def has_classes(folder: Path | str) -> bool:
    """Tell whether a data set says that it has more classes than person and background."""
    root = Path(folder)
    return (root / CLASSES_FILE).is_file() or _layout(root) is not None


def class_samples(folder: Path | str, split: str | None = None) -> list[Sample]:
    """List a data set of many classes, or one of its splits, as `find_samples`.

    Raises:
        DataError: as `find_samples`; classes.txt cannot be understood, or files are missing.
    """
    root = Path(folder)
    if (root / CLASSES_FILE).is_file():
        classes = read_classes(root / CLASSES_FILE)
        return [replace(each, classes=classes) for each in find_samples(root, split)]
    listed = _layout(root)
    if listed is None:
        raise DataError(
            f"{root}: no {CLASSES_FILE} in it, and neither Cityscapes' folders ({_IMAGES}, "
            f"{_LABELS}) nor CamVid's (train, trainannot)."
        )
    found = [each for name in ((split,) if split else _SPLITS) for each in listed(root, name)]
    if not found:
        raise DataError(f"{root}: the split {split or 'of all images'} is empty or not there.")
    return found


def has_class_split(folder: Path | str, split: str) -> bool:
    """Tell whether Cityscapes or CamVid has a split."""
    root = Path(folder)
    return any((root / name / split).is_dir() for name in (_IMAGES, ".", _LABELS))


def read_classes(path: Path) -> ClassList:
    """Read classes.txt.

    Raises:
        DataError: it is no text, has fewer than two classes or more than 254, one twice, or
            colours of some only.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}).") from error
    matches = [_LINE.fullmatch(line) for line in lines if line and not line.startswith("#")]
    names = tuple(match["name"] for match in matches if match)
    colours = tuple(int(match["colour"], 16) for match in matches if match and match["colour"])
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise DataError(f"{path}: has {len(names)} classes; 2 to {_MOST_CLASSES} are possible.")
    if len(colours) not in (0, len(names)):
        raise DataError(f"{path}: only {len(colours)} of {len(names)} classes have a colour.")
    for kind, values in (("name", names), ("colour", [f"#{each:06x}" for each in colours])):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise DataError(f"{path}: the {kind} {twice} comes twice.")
    return ClassList(names=names, colours=colours)


def same_classes(samples: Sequence[Sample]) -> ClassList | None:
    """Return the classes of samples; None: person and background.

    Raises:
        DataError: they have different ones.
    """
    kinds = {None if each.classes is None else each.classes.names for each in samples}
    if len(kinds) > 1:
        raise DataError("these data sets have different classes: learn from them one by one.")
    return samples[0].classes


def _layout(root: Path) -> "Callable[[Path, str], list[Sample]] | None":
    if any((root / name).is_dir() for name in (_IMAGES, _LABELS)):
        return _cityscapes
    if any((root / f"{split}annot").is_dir() for split in _SPLITS):
        return _camvid
    return None


def _cityscapes(root: Path, split: str) -> list[Sample]:
    for name, archive in ((_IMAGES, "leftImg8bit_trainvaltest"), (_LABELS, "gtFine_trainvaltest")):
        if not (root / name).is_dir():
            raise DataError(f"{root}: Cityscapes without {name}: unpack {archive}.zip there.")
    images, labels = root / _IMAGES / split, root / _LABELS / split
    found, missing = [], []
    for image in sorted(images.glob(f"*/*_{_IMAGES}.png")):
        name = image.name.removesuffix(f"_{_IMAGES}.png")
        folder = labels / image.parent.name
        by_train, by_id = (folder / f"{name}_{kind}.png" for kind in _CITYSCAPES_MASKS)
        if by_train.is_file():
            found.append(Sample(name, image, by_train, classes=CITYSCAPES))
        elif by_id.is_file():
            classes = replace(CITYSCAPES, levels=_CITYSCAPES_IDS, ignored=None)
            found.append(Sample(name, image, by_id, classes=classes))
        else:
            missing.append(by_id)
    _all_there(missing, "mask", "Cityscapes; …_labelTrainIds.png serves, too")
    pictured = {
        images / mask.parent.name / f"{mask.name.removesuffix(f'_{kind}.png')}_{_IMAGES}.png"
        for kind in _CITYSCAPES_MASKS
        for mask in labels.glob(f"*/*_{kind}.png")
    }
    _all_there(pictured, "image", "Cityscapes; its mask is there")
    if images.is_dir() and not found:
        raise DataError(f"{images}: no CITY/…_{_IMAGES}.png in it.")
    return found


def _camvid(root: Path, split: str) -> list[Sample]:
    images, labels = root / split, root / f"{split}annot"
    if images.is_dir() != labels.is_dir():
        absent = labels if images.is_dir() else images
        raise DataError(f"{absent}: no such folder, as CamVid has one beside {split}.")
    files = sorted(images.glob("*.png"))
    _all_there([labels / each.name for each in files], "mask", "CamVid")
    masks = sorted(labels.glob("*.png"))
    _all_there([images / each.name for each in masks], "image", "CamVid; its mask is there")
    return [Sample(stem(each.name), each, labels / each.name, classes=CAMVID) for each in files]


def _all_there(files: Iterable[Path], what: str, whose: str) -> None:
    missing = sorted(file for file in files if not file.is_file())
    if missing:
        more = len(missing) - 1
        others = f", nor {more} other{'s' if more > 1 else ''}" if more else ""
        raise DataError(f"{missing[0]}: no such {what}{others} ({whose}).")
