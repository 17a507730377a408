"""Which mask a click mends: what was answered last, or what the draft says."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.label_studio.interaction import UnansweredError
from pipelines.label_studio.marks import marks_json
from pipelines.label_studio.rle import decode_mask, encode_mask
from pipelines.label_studio.screen import SAMPLE_ID
from pipelines.pictures.stored_masks import read_mask
from pipelines.review.mending import Mending
from pipelines.workspace.workspace import Workspace
from sinet.clicks.click import Box, Click, Mark
from tests.pipelines.review.conftest import Ask, masks, requests

Mask = NDArray[np.bool_]


class OneColumn:
    """Fills the column of the last click, or clears it; notes what it was asked."""

    def __init__(self) -> None:
        self.canvases = 0
        self.asked: list[tuple[Mask, Sequence[Mark]]] = []

    def canvas(self, picture: NDArray[np.uint8]) -> tuple[int, ...]:
        self.canvases += 1
        return picture.shape[:2]

    def mend(self, canvas: tuple[int, ...], mask: Mask, marks: Sequence[Mark]) -> Mask:
        self.asked.append((mask.copy(), list(marks)))
        last = marks[-1]
        assert isinstance(last, Click)
        after = mask.copy()
        after[:, last.pixel(mask.shape)[1]] = last.positive
        return after


class Screen:
    """Label Studio's, with one task open: what it sends, and what it then shows."""

    names = count()

    def __init__(self, mending: Mending, key: str, clock: list[float]) -> None:
        self.mending, self.key, self.clock = mending, key, clock
        self.drafts: list[dict[str, Any]] = []

    def click(
        self, x: float, *, y: float = 0.5, positive: bool = True, pending: Sequence[str] = ()
    ) -> Mask:
        name = f"k{next(self.names)}"
        self.last = name
        results = [
            {
                "id": each,
                "from_name": "click",
                "value": {"x": 100 * x, "y": 100 * y},
                "is_positive": positive,
            }
            for each in (*pending, name)
        ]
        task = {"data": {SAMPLE_ID: self.key}, "drafts": self.drafts}
        sent = {"tasks": [task], "params": {"context": {"result": results}}}
        (self.region,) = self.mending.answer(sent)["results"][0]["result"]
        height, width = self.region["original_height"], self.region["original_width"]
        return decode_mask(self.region["value"]["rle"], height, width) == 255

    def save(
        self, mask: Mask | None = None, region: Any = None, pending: Sequence[str] = ()
    ) -> None:
        """The draft: what was answered (or another region), or what was drawn over it."""
        region = dict(self.region if region is None else region)
        if mask is not None:
            region["value"] = {"format": "rle", "rle": encode_mask(mask)}
        marks = [{"id": each, "from_name": "click"} for each in pending]
        saved = f"2026-{next(self.names):04}"
        self.drafts = [{"updated_at": saved, "result": [region, *marks]}]


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
def network() -> OneColumn:
    return OneColumn()


@pytest.fixture
def mending(workspace: Workspace, network: OneColumn, clock: list[float]) -> Mending:
    return Mending(workspace, network, lambda: clock[0])  # type: ignore[arg-type]


@pytest.fixture
def screen(workspace: Workspace, ask: Ask, mending: Mending, clock: list[float]) -> Screen:
    ask()
    return Screen(mending, requests(workspace)[0].key, clock)


def shown(workspace: Workspace) -> Mask:
    question = requests(workspace)[0]
    return read_mask(
        workspace.store, next(each.blob for each in masks(workspace) if each.id == question.mask_id)
    )


def test_the_first_click_mends_what_is_shown(
    workspace: Workspace, screen: Screen, network: OneColumn
) -> None:
    before = shown(workspace)
    after = screen.click(0.0)
    assert np.array_equal(network.asked[0][0], before)
    assert after[:, 0].all()
    assert np.array_equal(after[:, 1:], before[:, 1:])
    assert screen.region["id"] == "mask"
    assert screen.region["meta"]["marks"] == marks_json([Click(x=0, y=0.5, positive=True)])


def test_the_next_click_goes_on_from_there_though_nothing_was_saved(
    screen: Screen, network: OneColumn, clock: list[float]
) -> None:
    first = screen.click(0.0)
    clock[0] += 4
    screen.click(0.999)
    mask, marks = network.asked[1]
    assert np.array_equal(mask, first)
    assert [mark.x for mark in marks if isinstance(mark, Click)] == pytest.approx([0.0, 0.999])
    assert network.canvases == 1, "the picture is made ready once"


def test_strokes_that_were_saved_are_kept(
    screen: Screen, network: OneColumn, clock: list[float]
) -> None:
    painted = screen.click(0.0)
    painted[:2] = True
    screen.save(painted)
    clock[0] += 1
    screen.click(0.999)
    assert np.array_equal(network.asked[1][0], painted)
    assert len(network.asked[1][1]) == 2


@pytest.mark.parametrize("mark", [
    Click(x=0.0, y=0.5, positive=True), Box(x=0.1, y=0.1, width=0.2, height=0.2),
])  # fmt: skip
def test_a_stroke_over_an_earlier_mark_has_the_word(
    screen: Screen, network: OneColumn, mark: Mark
) -> None:
    painted = screen.click(0.0)
    region = {**screen.region, "meta": {**screen.region["meta"], "marks": marks_json([mark])}}
    painted[:, 0] = isinstance(mark, Box)  # the click's place erased, the box's outside painted
    screen.save(painted, region)
    screen.click(0.999)
    mask, marks = network.asked[1]
    assert np.array_equal(mask, painted)
    assert len(marks) == 1, "the network is not told to undo the stroke"
    assert len(screen.region["meta"]["marks"]) == 2, "and both are counted"


def test_a_stroke_stays_whatever_the_network_makes_of_later_clicks(screen: Screen) -> None:
    first = screen.click(0.0)
    answered = screen.region
    height, width = first.shape
    across = {"type": "add", "relativePoints": [0, 10, 100, 10], "relativeStrokeWidth": 4}
    value = {**answered["value"], "touches": [across]}
    screen.save(region={**answered, "value": value})
    stroke, below = (round(0.1 * height), 0), (round(0.9 * height), 0)
    for x in (0.999, 0.5, 0.4):  # columns are cleared, but for the stroke
        after = screen.click(x, positive=False)
        column = int(x * width)
        assert after[stroke[0], column]
        assert not after[below[0], column]
        screen.save()
    screen.save(region={**answered, "value": value})  # Ctrl+Z, three times
    screen.click(0.4, positive=False)
    once = screen.region
    screen.save()
    screen.click(0.999, positive=False)
    screen.save(region=once)  # Ctrl+Z: the stroke is from before that answer
    assert screen.click(0.5, positive=False)[stroke[0], int(0.5 * width)]
    # But a click on the stroke is about the stroke.
    screen.save()
    gone = screen.click(0.3, y=0.1, positive=False)
    assert not gone[stroke[0], int(0.3 * width)]


@pytest.mark.parametrize("later", [1, 20])
def test_what_was_undone_and_saved_is_undone(
    screen: Screen, network: OneColumn, clock: list[float], later: float
) -> None:
    first = screen.click(0.0)
    of_first = screen.region
    screen.save()
    screen.click(0.999)
    screen.save(region=of_first)  # Ctrl+Z
    clock[0] += later
    screen.click(0.5)
    mask, marks = network.asked[2]
    assert np.array_equal(mask, first)
    assert len(marks) == 2


def test_a_draft_from_before_the_answer_came_is_older(
    workspace: Workspace, screen: Screen, network: OneColumn, clock: list[float]
) -> None:
    first = screen.click(0.0)
    before = {**screen.region, "meta": {}}
    screen.save(shown(workspace), region=before, pending=[screen.last])
    clock[0] += 1
    screen.click(0.5)
    assert np.array_equal(network.asked[1][0], first)


def test_a_page_that_was_loaded_anew_shows_its_draft(
    screen: Screen, network: OneColumn, clock: list[float]
) -> None:
    first = screen.click(0.0)
    screen.save()
    screen.click(0.999)  # and the page was left before this was saved
    clock[0] += 60
    screen.click(0.5)
    assert np.array_equal(network.asked[2][0], first)


def test_nobody_goes_on_with_somebody_elses_clicks(
    workspace: Workspace, screen: Screen, network: OneColumn, clock: list[float]
) -> None:
    screen.click(0.0)
    clock[0] += 60  # another person has opened the task, and has no draft
    screen.click(0.999)
    mask, marks = network.asked[1]
    assert np.array_equal(mask, shown(workspace))
    assert len(marks) == 1


def test_suggestions_that_were_not_taken_are_made_anew(
    workspace: Workspace, screen: Screen, network: OneColumn
) -> None:
    screen.click(0.0)
    screen.click(0.999, pending=[screen.last])
    mask, marks = network.asked[1]
    assert np.array_equal(mask, shown(workspace))
    assert len(marks) == 2


def test_a_draft_of_another_size_is_refused(screen: Screen) -> None:
    screen.click(0.0)
    screen.save()
    small = np.ones((8, 8), np.bool_)
    value = {"format": "rle", "rle": encode_mask(small)}
    region = {"value": value, "original_width": 8, "original_height": 8}
    screen.drafts[0]["result"][0] |= region
    with pytest.raises(UnansweredError, match="size"):
        screen.click(0.1)


@pytest.mark.parametrize("key", ["0" * 32, "../../etc/passwd", ""])
def test_questions_that_were_not_asked_are_not_answered(screen: Screen, key: str) -> None:
    screen.key = key
    with pytest.raises(UnansweredError, match="not asked"):
        screen.click(0.5)
