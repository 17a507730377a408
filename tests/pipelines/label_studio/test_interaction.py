"""What Label Studio sends when somebody has clicked, and what is answered."""

from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.label_studio.interaction import UnansweredError, answer, read_ask
from pipelines.label_studio.marks import marks_json, read_marks
from pipelines.label_studio.rle import decode_mask, encode_mask
from pipelines.label_studio.screen import SAMPLE_ID
from sinet.clicks.click import Box, Click

KEY = "68c276c802b3419542b47056218a2cad"
HEIGHT, WIDTH = 80, 60


def keypoint(**changes: Any) -> dict[str, Any]:
    """As server 1.23.2 was seen to send it."""
    return {
        "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0,
        "value": {"x": 25.0, "y": 50, "width": 1.8, "labels": ["add"], "keypointlabels": ["add"]},
        "is_positive": True, "id": "TdC7bBUqt8", "from_name": "click", "to_name": "image",
        "type": "keypointlabels", "origin": "manual", **changes,
    }  # fmt: skip


def rectangle() -> dict[str, Any]:
    value = {"x": 10, "y": 20, "width": 95, "height": 30, "rotation": 0, "rectanglelabels": ["box"]}
    return {"value": value, "id": "r", "from_name": "box", "type": "rectanglelabels"}


def brush(mask: np.ndarray[Any, Any], **changes: Any) -> dict[str, Any]:
    return {
        "original_width": WIDTH, "original_height": HEIGHT, "id": "mask", "from_name": "mask",
        "type": "brushlabels", "value": {"format": "rle", "rle": encode_mask(mask)}, **changes,
    }  # fmt: skip


def request(*results: Any, drafts: Any = ()) -> dict[str, Any]:
    task = {"id": 1, "data": {SAMPLE_ID: KEY}, "drafts": list(drafts)}
    return {"tasks": [task], "project": "1.1", "params": {"context": {"result": list(results)}}}


def half() -> np.ndarray[Any, Any]:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[40:] = True
    return mask


def test_a_positive_click() -> None:
    ask = read_ask(request(keypoint()))
    assert (ask.key, ask.draft) == (KEY, None)
    assert dict(ask.marks) == {"TdC7bBUqt8": Click(x=0.25, y=0.5, positive=True)}


@pytest.mark.parametrize(
    "changes",
    [
        {"is_positive": False},
        {"value": {"x": 25.0, "y": 50, "keypointlabels": ["remove"]}},
    ],
)
def test_a_negative_click_by_its_label_or_by_the_alt_key(changes: dict[str, Any]) -> None:
    (mark,) = read_ask(request(keypoint(**changes))).marks.values()
    assert mark == Click(x=0.25, y=0.5, positive=False)


def test_a_box_ends_at_the_edge_of_the_picture() -> None:
    (mark,) = read_ask(request(rectangle())).marks.values()
    assert isinstance(mark, Box)
    sides = (mark.x, mark.y, mark.width, mark.height)
    assert sides == pytest.approx((0.1, 0.2, 0.9, 0.3))


def test_other_regions_are_no_marks() -> None:
    assert len(read_ask(request(brush(half()), keypoint())).marks) == 1
    with pytest.raises(UnansweredError, match="neither"):
        read_ask(request(brush(half())))


def test_the_draft_is_the_mask_with_what_was_painted_since() -> None:
    stroke = {
        "type": "add", "points": [], "relativePoints": [0, 25, 100, 25], "strokeWidth": 3,
        "relativeStrokeWidth": 10,
    }  # fmt: skip
    eraser = stroke | {"type": "eraser", "relativePoints": [50, 75, 50, 75]}
    region = brush(
        half(), meta={"answer": "ab12", "marks": marks_json([Click(x=0.5, y=0.25, positive=True)])}
    )
    region["value"]["touches"] = [stroke, eraser]
    old = {"updated_at": "2026-11-27T03:00:00Z", "result": []}
    new = {"updated_at": "2026-11-27T03:00:01Z", "result": [keypoint(), region]}
    draft = read_ask(request(keypoint(), drafts=[new, old])).draft
    assert draft is not None
    assert (draft.regions, draft.answer) == (["mask"], "ab12")
    assert draft.marks == [Click(x=0.5, y=0.25, positive=True)]
    expected = half().astype(np.uint8)
    cv2.line(expected, (0, 20), (60, 20), 1, 6)
    cv2.line(expected, (30, 60), (30, 60), 0, 6)
    assert (draft.pixels != expected.astype(bool)).sum() < 0.1 * 6 * WIDTH
    assert draft.pixels[20, 30]
    assert not draft.pixels[60, 30]


def test_a_stroke_that_is_a_region_of_its_own_belongs_to_the_mask() -> None:
    painted = {"relativePoints": [50, 10], "relativeStrokeWidth": 10, "type": "add"}
    stroke = brush(half(), id="x1", value={"format": "rle", "rle": None, "touches": [painted]})
    draft = read_ask(request(keypoint(), drafts=[{"result": [stroke, brush(half())]}])).draft
    assert draft is not None
    assert draft.regions == ["mask", "x1"], "ours comes first"
    assert draft.pixels[8, 30]
    assert draft.pixels[60, 30]


def test_a_draft_without_a_mask_says_nothing() -> None:
    assert read_ask(request(keypoint(), drafts=[{"result": []}, {"result": None}])).draft is None


@pytest.mark.parametrize(
    "sent",
    [
        None, [], {}, {"tasks": []}, {"tasks": [1], "params": {}}, {"tasks": [{}, {}]},
        request() | {"params": {"context": None}},
        request() | {"tasks": [{"data": {"text": "not ours"}}]},
        request() | {"tasks": [{"data": {SAMPLE_ID: "x" * 99}}]},
        request(), request(1), request([]),
        request(keypoint(value=None)), request(keypoint(value={"x": "a", "y": 1})),
        request(keypoint(value={"x": float("nan"), "y": 1})),
        request(*[keypoint()] * 1000),
        request(keypoint(), drafts=[{"result": [brush(half(), original_width=-1)]}]),
        request(keypoint(), drafts=[{"result": [brush(half(), original_width=61)]}]),
        request(keypoint(), drafts=[{"result": [brush(half(), value={"rle": [1, 2, 3]})]}]),
        request(keypoint(), drafts=[{"result": [brush(half(), value={"touches": [{}]})]}]),
        request(keypoint(), drafts=[3]),
    ],
)  # fmt: skip
def test_what_is_no_click_of_ours_gets_one_line(sent: Any) -> None:
    with pytest.raises(UnansweredError) as raised:
        read_ask(sent)
    assert len(str(raised.value).splitlines()) == 1


def test_the_answer_is_one_region_in_the_place_of_the_former() -> None:
    marks = [Click(x=0.123456, y=0.5, positive=False), Box(x=0, y=0, width=1, height=0.5)]
    said = answer(half(), ["mask"], "ab12", marks)
    ((region,),) = (each["result"] for each in said["results"])
    assert (region["id"], region["from_name"], region["type"]) == ("mask", "mask", "brushlabels")
    decoded = decode_mask(
        region["value"]["rle"], region["original_height"], region["original_width"]
    )
    assert np.array_equal(decoded == 255, half())
    assert region["meta"]["answer"] == "ab12"
    assert read_marks(region["meta"]) == [Click(x=0.1235, y=0.5, positive=False), marks[1]]


@pytest.mark.parametrize(
    "meta", [None, [], {}, {"marks": 3}, {"marks": [{"x": 2, "y": 0}]}, {"marks": [{"x": 0}] * 9}]
)
def test_odd_marks_are_none(meta: Any) -> None:
    assert read_marks(meta) == []
