"""Rows packed for a page: a hundred thousand portraits in about a megabyte of text."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sinet.escaping import printable

UNKNOWN = 65535
"""In a column of shares: not known."""
_STEPS = 10_000


def sets_column(values: Iterable[Sequence[str]]) -> dict[str, Any]:
    """A column of sets of words: many rows share a set, so that each set is written once.

    Args:
        values: of each row; the words are foreign text, and come out printable.

    Returns:
        `words`, each once; `sets`, as numbers of words; `rows`, base64 of each row's number of a
        set, as unsigned integers of `bytes` bytes, the lowest byte first.
    """
    words: dict[str, int] = {}
    sets: dict[tuple[str, ...], int] = {}
    rows = np.fromiter((sets.setdefault(tuple(each), len(sets)) for each in values), np.uint32)
    numbered = [[words.setdefault(word, len(words)) for word in each] for each in sets]
    width = next(width for width in (1, 2, 4) if len(sets) <= 1 << 8 * width)
    return {
        "words": [printable(word) for word in words],
        "sets": numbered,
        "bytes": width,
        "rows": _base64(rows.astype(f"<u{width}")),
    }


def shares_column(values: Iterable[float | None]) -> str:
    """A column of shares in [0, 1] as ten-thousandths, base64 of unsigned 16-bit integers."""
    rows = [UNKNOWN if each is None else round(each * _STEPS) for each in values]
    return _base64(np.array(rows, "<u2"))


def _base64(array: "np.ndarray[Any, Any]") -> str:
    return base64.b64encode(array.tobytes()).decode()
