"""What the masks of a data set are, before time is spent on them."""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sinet.data.listing import Sample
from sinet.data.reading import read_labels, read_sample, understand
from sinet.errors import DataError
from sinet.labels import IGNORED

# A minute's work; what is wrong with one data set is wrong with many of its masks.
_MOST: Final = 20_000


def check_masks(samples: Sequence[Sample], of: Sequence[Sample] = ()) -> Counter[str]:
    """Read all masks of a data set and find out that they are worth learning from.

    Args:
        samples: to be learnt from, or scored; of very many an even choice is looked at.
        of: the data set that they are a part of; a part may well be empty.

    Returns:
        How many were understood how, in words.

    Raises:
        DataError: one cannot be read, is not clearly a mask, or all are empty, or all are full.
    """
    if len(samples) > _MOST:
        samples = [samples[number * len(samples) // _MOST] for number in range(_MOST)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        seen = list(pool.map(_look, samples))
    how = Counter(each for each, _, _ in seen)
    for what, found in (
        ("empty: no person in any", all(is_empty for _, is_empty, _ in seen)),
        ("full: nothing but person", all(is_full for _, _, is_full in seen)),
    ):
        if not seen or not found:
            continue
        read_sample(samples[0])  # what is wrong with one may be why: that is to be told first
        if len(of) > len(samples):
            check_masks(of)
            continue
        raise DataError(
            f"{samples[0].mask.parent}: all {len(seen):,} masks are {what} (read as "
            f"{', '.join(how)}): nothing can be learnt from them, or scored; check them, or "
            "say what the person is (--mask-class, --mask-channel, --mask-invert)."
        )
    return how


def _look(sample: Sample) -> tuple[str, bool, bool]:
    """How a mask was read, and whether it is empty, or full."""
    if sample.classes is not None:
        labels, how = read_labels(sample, sample.classes)
        known = labels[labels != IGNORED]
        said = f"of {len(sample.classes.names)} classes, {how}"
        return said, not known.size, False
    person, how, _ = understand(sample)
    return how, not person.any(), bool(person.all())
