"""Clicks and boxes as JSON: in what we answer, in drafts and annotations, and in our database."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sinet.clicks.click import Box, Click, Mark

ANSWER, MARKS = "answer", "marks"
"""Keys of a brush region's `meta`: the number of our answer that it is, and what led to it."""

MAX_MARKS: Final = 200
_PLACES: Final = 4

_Share = Annotated[float, Field(ge=0, le=1)]


class _Mark(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    x: _Share
    y: _Share
    width: _Share | None = None
    height: _Share | None = None
    positive: bool = True


_MARKS: TypeAdapter[list[_Mark]] = TypeAdapter(Annotated[list[_Mark], Field(max_length=MAX_MARKS)])


def marks_json(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    """Marks as they are kept: shares of the picture's sides, to four places."""
    return [_json(mark) for mark in marks]


def read_marks(meta: Any) -> list[Mark]:
    """The marks in a region's `meta`; none if there are none that can be read."""
    if not isinstance(meta, Mapping):
        return []
    try:
        return [_mark(each) for each in _MARKS.validate_python(meta.get(MARKS))]
    except (ValidationError, ValueError, RecursionError):
        return []


def _json(mark: Mark) -> dict[str, Any]:
    if isinstance(mark, Click):
        place = {"x": round(mark.x, _PLACES), "y": round(mark.y, _PLACES)}
        return {**place, "positive": mark.positive}
    sides = {"x": mark.x, "y": mark.y, "width": mark.width, "height": mark.height}
    return {name: round(value, _PLACES) for name, value in sides.items()}


def _mark(read: _Mark) -> Mark:
    if read.width is None or read.height is None:
        return Click(x=read.x, y=read.y, positive=read.positive)
    width, height = min(read.width, 1 - read.x), min(read.height, 1 - read.y)
    return Box(x=read.x, y=read.y, width=width, height=height)
