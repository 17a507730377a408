"""What of a data set to train on and what to score."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sinet.data.listing import FOLDERS, Sample, find_samples, hold_out
from sinet.data.scenes import class_samples, has_class_split, has_classes
from sinet.data.shards import shards
from sinet.errors import DataError
from sinet.pictures.mask_options import SELF_EXPLAINING, MaskOptions

_NEVER_TRAINED_ON: Final = ("val", "test")


def has_split(folder: Path | str, split: str) -> bool:
    """Tell whether a data set has a list, a sub-folder or shards of that name."""
    root = Path(folder)
    if (root / f"{split}.txt").is_file() or (root / split).is_dir() or shards(root, split):
        return True
    return has_classes(root) and has_class_split(root, split)


def training_samples(folder: Path | str, masks: MaskOptions = SELF_EXPLAINING) -> list[Sample]:
    """List the split `train`, or, without one, everything that is in neither `val` nor `test`.

    A data set of many classes (see `scenes`) is listed as such, unless it is said which of them is
    the person.

    Raises:
        DataError: as `find_samples` and `class_samples`.
    """

    def listed(split: str | None) -> list[Sample]:
        if masks == SELF_EXPLAINING and has_classes(folder):
            return class_samples(folder, split)
        return find_samples(folder, split, masks)

    if has_split(folder, "train"):
        return listed("train")
    others = [split for split in _NEVER_TRAINED_ON if has_split(folder, split)]
    set_aside = {sample.name for split in others for sample in listed(split)}
    return [sample for sample in listed(None) if sample.name not in set_aside]


def samples_to_learn(
    folders: Sequence[Path], fraction: float, masks: MaskOptions = SELF_EXPLAINING
) -> tuple[list[Sample], list[Sample]]:
    """List what several data sets are learnt from together, and what of them is held out.

    Of each the same samples are held out as if it were alone. Where there are several, a sample's
    name begins with its data set's number, so that `2-001` and `1-001` are not taken for one.

    Args:
        folders: as `training_samples` takes them.
        fraction: 0 to 1; about this part of each is held out.
        masks: what their makers say of the masks.

    Returns:
        What to learn from, and what is held out.

    Raises:
        DataError: as `find_samples`; or a folder comes twice.
    """
    seen: set[Path] = set()
    kept: list[Sample] = []
    held: list[Sample] = []
    for number, folder in enumerate(folders, 1):
        if folder.resolve() in seen:
            raise DataError(f"{folder}: given twice; name each data set once.")
        seen.add(folder.resolve())
        prefix = f"{number}-" if len(folders) > 1 else ""
        parts = hold_out(training_samples(folder, masks), fraction)
        for part, all_of_it in zip(parts, (kept, held), strict=True):
            all_of_it += [replace(sample, name=prefix + sample.name) for sample in part]
    return kept, held


def evaluation_samples(
    folder: Path | str,
    split: str | None = None,
    masks: MaskOptions = SELF_EXPLAINING,
    folders: Sequence[tuple[str, str]] = FOLDERS,
) -> tuple[str, list[Sample]]:
    """List a split to score.

    Args:
        folder: of the data set.
        split: its name; `all` is everything; None is `val` if there is one, else everything.
        masks: what their maker says of the masks.
        folders: how those of the images and of the masks may be called.

    Returns:
        The name of the split (or `all`) and its samples.

    Raises:
        DataError: as `find_samples`.
    """
    if split is None:
        split = "val" if has_split(folder, "val") else "all"
    if split == "all" and not has_split(folder, "all"):
        return split, find_samples(folder, None, masks, folders)
    return split, find_samples(folder, split, masks, folders)


def class_evaluation_samples(
    folder: Path | str, split: str | None = None
) -> tuple[str, list[Sample]]:
    """List a split of a data set of many classes to score, as `evaluation_samples`.

    Raises:
        DataError: as `class_samples`.
    """
    if split is None:
        split = "val" if has_split(folder, "val") else "all"
    return split, class_samples(folder, None if split == "all" else split)
