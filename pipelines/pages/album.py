"""The pictures of a page, all in one place: drawn, put on sheets, described for its scripts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.pages.sprites import (
    CELL_PX,
    COLUMNS,
    PER_SHEET,
    PROBABILITY_PX,
    Drawn,
    Picture,
    draw,
    sheets,
)
from pipelines.workspace.progress import Progress, tracked


@dataclass(frozen=True, kw_only=True)
class Item:
    """A picture to be shown.

    Attributes:
        drawn: what it is made of; None: its photo was forgotten, and nothing can be shown.
        words: what the scripts say of it: plain values, foreign text printable.
    """

    drawn: Drawn | None
    words: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Album:
    """Pictures as the scripts want them.

    Attributes:
        data: plain values: the sheets as base64, and of each picture where it is, its outlines and
            its words.
        count: of the pictures.
        unreadable: of them those with a blob that is missing or damaged.
    """

    data: dict[str, Any]
    count: int
    unreadable: int


def make_album(read: Callable[[str], bytes], items: Sequence[Item], progress: Progress) -> Album:
    """Draw all pictures and put them on sheets.

    Args:
        read: bytes of a blob by its key; called by several threads.
        items: to be shown, in order.
        progress: told of each.
    """
    drawn = [item.drawn for item in items if item.drawn is not None]
    made = iter(list(tracked(progress, draw(read, drawn), "drawing", "pictures", len(drawn))))
    pictures = [Picture(rgb=None) if item.drawn is None else next(made) for item in items]
    probabilities = [each.probability for each in pictures if each.probability is not None]
    places = iter(range(len(probabilities)))
    described = [
        {
            **item.words,
            "there": picture.rgb is not None,
            "size": picture.size,
            "outlines": picture.outlines,
            "probability": None
            if picture.probability is None
            else {"place": next(places), "size": picture.probability.shape[::-1]},
        }
        for item, picture in zip(items, pictures, strict=True)
    ]
    data = {
        "columns": COLUMNS,
        "per_sheet": PER_SHEET,
        "cell": CELL_PX,
        "probability_cell": PROBABILITY_PX,
        "probability_count": len(probabilities),
        "sheets": sheets([each.rgb for each in pictures], CELL_PX),
        "probabilities": sheets(probabilities, PROBABILITY_PX),
        "items": described,
    }
    lost = sum(
        item.drawn is not None and picture.rgb is None
        for item, picture in zip(items, pictures, strict=True)
    )
    return Album(data=data, count=len(items), unreadable=lost)
