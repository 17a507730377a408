"""What Label Studio asks an ML backend when somebody has clicked, and how it is answered.

It tells the marks that are still on the screen and the user's draft, no more: not the mask as it
is now. So every answer carries, as `meta` of its region, a number by which the draft shows whether
it holds that answer, and the marks that led to it; both come back with the submitted annotation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from pipelines.label_studio.errors import ReviewError
from pipelines.label_studio.foreign import MAX_REGIONS, Foreign, Rle, Side, Text, key_of
from pipelines.label_studio.marks import ANSWER, MARKS, MAX_MARKS, marks_json, read_marks
from pipelines.label_studio.rle import RleError, decode_mask, encode_mask
from pipelines.label_studio.screen import BOX, CLICK, IMAGE, MASK, PORTRAIT, REMOVE
from sinet.clicks.click import Box, Click, Mark
from sinet.pictures.threshold import is_person

Mask = NDArray[np.bool_]

MAX_POINTS: Final = 1_000_000
_SUBPIXEL_BITS: Final = 4


class UnansweredError(ReviewError):
    """A request that is none of our screen's. Says why."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The mask as the user's draft has it.

    Attributes:
        regions: ids of its brush regions, ours first.
        answer: of ours it holds; None: it was not clicked into.
        marks: that led to it.
        pixels: (H, W) bool.
        by_hand: (H, W) bool: what was painted or erased since that answer.
        saved: when, as the server says it.
        pending: ids of the marks that were on the screen then.
    """

    regions: Sequence[str]
    answer: str | None
    marks: Sequence[Mark]
    pixels: Mask
    by_hand: Mask
    saved: str
    pending: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What somebody wants.

    Attributes:
        key: of the question, in the task's data.
        marks: on the screen: the region's id and what it says, the last one last.
        draft: the mask as it was saved last; None: nothing was saved.
    """

    key: str
    marks: Mapping[str, Mark]
    draft: Drawn | None


_Percent = Annotated[float, Field(allow_inf_nan=False)]


class _Point(Foreign):
    x: _Percent
    y: _Percent


class _Rectangle(Foreign):
    x: _Percent
    y: _Percent
    width: _Percent
    height: _Percent


class _Stroke(Foreign):
    type: Text = "add"
    points: Annotated[list[_Percent], Field(alias="relativePoints", max_length=MAX_POINTS)]
    width: Annotated[float, Field(alias="relativeStrokeWidth", ge=0, le=100)]


class _Layers(Foreign):
    rle: Rle | None = None
    touches: Annotated[list[_Stroke], Field(max_length=MAX_REGIONS, default_factory=list)]


class _Region(Foreign):
    id: Text
    original_width: Side
    original_height: Side
    value: _Layers


def read_ask(request: Any) -> Ask:
    """Understand the body of a request to predict.

    Args:
        request: its JSON.

    Raises:
        UnansweredError: it is none that a click or a box on our screen makes.
    """
    try:
        (task,) = request["tasks"]
        results = request["params"]["context"]["result"]
        key = key_of(task["data"])
    except (KeyError, TypeError, ValueError):
        raise UnansweredError(
            "only a click or a box in the labeling screen is answered, one task at a time"
        ) from None
    if key is None or not isinstance(results, list) or len(results) > MAX_MARKS:
        raise UnansweredError("this is no task of dataengine's, or it has too many marks")
    try:
        found = {str(each.get("id")): _mark(each) for each in results}
        draft = _draft(task.get("drafts"))
    except (ValidationError, AttributeError, ValueError, RecursionError) as error:
        raise UnansweredError(f"a mark or the draft cannot be read ({_line(error)})") from None
    marks = {name: mark for name, mark in found.items() if mark is not None}
    if not marks:
        raise UnansweredError("there is neither a click nor a box in it")
    return Ask(key=key, marks=marks, draft=draft)


def answer(mask: Mask, regions: Sequence[str], number: str, marks: Sequence[Mark]) -> Any:
    """The mask as the one brush region that takes the place of the former one.

    Args:
        mask: (H, W) bool.
        regions: ids of the brush regions that are there, the mask's own first. Strokes that are
            regions of their own get the same pixels: nothing can remove them.
        number: of this answer.
        marks: all that led to it.
    """
    height, width = mask.shape
    rle = encode_mask(mask)
    result = [
        {
            "id": region,
            "from_name": MASK,
            "to_name": IMAGE,
            "type": "brushlabels",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": rle, "brushlabels": [PORTRAIT]},
            "meta": {ANSWER: number, MARKS: marks_json(marks)},
        }
        for region in regions
    ]
    return {"results": [{"result": result}]}


def _mark(result: Mapping[str, Any]) -> Mark | None:
    """A region on the screen as a mark; None for one that is none."""
    name, value = result.get("from_name"), result.get("value")
    if name == CLICK:
        point = _Point.model_validate(value)
        labels = value.get("keypointlabels") if isinstance(value, Mapping) else None
        positive = result.get("is_positive") is not False and REMOVE not in (labels or ())
        return Click(x=_share(point.x), y=_share(point.y), positive=positive)
    if name == BOX:
        rectangle = _Rectangle.model_validate(value)
        x, y = _share(rectangle.x), _share(rectangle.y)
        right, bottom = (
            _share(rectangle.x + rectangle.width),
            _share(rectangle.y + rectangle.height),
        )
        return Box(x=x, y=y, width=right - x, height=bottom - y)
    return None


def _share(percent: float) -> float:
    return min(1.0, max(0.0, percent / 100))


def _draft(drafts: Any) -> Drawn | None:
    """The mask in the latest draft."""
    if not isinstance(drafts, list) or not drafts:
        return None
    latest = max(drafts, key=lambda each: str(each.get("updated_at")))
    results = latest.get("result")
    if not isinstance(results, list) or len(results) > MAX_REGIONS:
        return None
    regions = [
        (_Region.model_validate(each), each.get("meta"))
        for each in results
        if each.get("from_name") == MASK and each.get("type") == "brushlabels"
    ]
    if not regions:
        return None
    sizes = {(region.original_height, region.original_width) for region, _ in regions}
    if len(sizes) > 1:
        raise ValueError("its brush regions have different sizes")
    shape = sizes.pop()
    pixels, by_hand = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for region, _ in regions:
        painted, touched = _painted(region)
        pixels |= painted
        by_hand |= touched
    said = (meta for _, meta in regions if isinstance(meta, Mapping) and ANSWER in meta)
    meta: Mapping[str, Any] = next(said, {})
    ours = sorted({region.id for region, _ in regions}, key=lambda name: name != MASK)
    number = meta.get(ANSWER)
    return Drawn(
        regions=ours,
        answer=number if isinstance(number, str) else None,
        marks=read_marks(meta),
        pixels=pixels,
        by_hand=by_hand,
        saved=str(latest.get("updated_at")),
        pending=frozenset(
            str(each.get("id")) for each in results if each.get("from_name") in (CLICK, BOX)
        ),
    )


def _painted(region: _Region) -> tuple[Mask, Mask]:
    """What a brush region covers, and what of that strokes say that are not among its run lengths.

    Returns:
        Two masks, (H, W) bool: whether a pixel is covered, and whether a stroke went over it.
    """
    height, width = region.original_height, region.original_width
    rle = region.value.rle
    try:
        alpha = decode_mask(rle, height, width) if rle else np.zeros((height, width), np.uint8)
    except RleError as error:
        raise ValueError(str(error)) from error
    canvas = is_person(alpha).astype(np.uint8)
    touched = np.zeros_like(canvas)
    unit = (1 << _SUBPIXEL_BITS) / 100
    for stroke in region.value.touches:
        given = stroke.points[: len(stroke.points) // 2 * 2]
        points: NDArray[np.float64] = np.array(given).reshape(-1, 1, 2)
        if not len(points):
            continue
        if len(points) == 1:  # of which OpenCV draws nothing
            points = np.repeat(points, 2, axis=0)
        placed = np.clip(np.rint(points * (width, height) * unit), -(2**24), 2**24)
        thickness = min(max(1, round(stroke.width * width / 100)), 255)
        colour = 0 if stroke.type == "eraser" else 1
        for picture, value in ((canvas, colour), (touched, 1)):
            line = [placed.astype(np.int32)]
            cv2.polylines(picture, line, False, value, thickness, shift=_SUBPIXEL_BITS)
    return canvas.astype(np.bool_), touched.astype(np.bool_)


def _line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
