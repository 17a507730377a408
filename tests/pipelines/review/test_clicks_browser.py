"""Clicks in the real screen: the mask is mended, submitted and pulled, pixel by pixel as shown."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page

from db import Portrait
from pipelines.label_studio.rle import decode_mask
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.pictures.decode import encode_jpeg
from pipelines.pictures.stored_masks import read_mask
from pipelines.review.pull import pull_answers
from pipelines.review.status import review_status
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from sinet.clicks.click import Click
from tests.conftest import Crawl
from tests.label_studio import RealServer
from tests.pipelines.review.conftest import masks, push_real, requests, reviews
from tests.pipelines.review.screen import (
    LOADED,
    NOTHING_SELECTED,
    drag,
    keep_picture,
    logged_in,
    next_task,
    sent_by,
)

Pixels = npt.NDArray[np.bool_]
TITLE = "Clicks in the browser"
# Left and above of the person in all photos: nothing is there; and where the person is.
STROKE = ((0.04, 0.06), (0.16, 0.06))
ON_STROKE = (0.10, 0.06)


@pytest.fixture(scope="module")
def clicked(
    server: RealServer, ingested: Crawl, astronaut: npt.NDArray[np.uint8]
) -> Iterator[Workspace]:
    """Three portraits of a real person, whose masks are a fake teacher's."""
    root = server.root / "clicked"
    shutil.copytree(ingested.workspace, root)
    options = {"project": TITLE, "document_root": str(server.root), "settle_seconds": 5}
    opened = Workspace(root, load_settings(root, {"review": options}))
    with opened.engine.begin() as connection:
        for row in connection.execute(sa.select(Portrait.id, Portrait.width, Portrait.height)):
            photo = np.asarray(cv2.resize(astronaut[:400, 70:380], (row.width, row.height)))
            blob = opened.store.put(BlobKind.PORTRAIT, encode_jpeg(photo, 95))
            connection.execute(sa.update(Portrait).where(Portrait.id == row.id).values(blob=blob))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(
    clicked: Workspace, server: RealServer, real: LabelStudioGateway, browser: Browser
) -> Iterator[Page]:
    """The first task, while `dataengine review clicks` runs beside the server."""
    pushed = push_real(clicked, real)
    program = [sys.executable, "-c", "from dataengine.cli import main; main()"]
    command = [*program, "-w", str(clicked.paths.root), "review", "clicks"]
    access = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    with subprocess.Popen(
        command, env={**os.environ, **access}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Clicks are answered in {TITLE!r}.\n"
        opened = logged_in(server, browser)
        opened.goto(f"{server.url}/projects/{pushed.project.server_id}/data?labeling=1")
        yield opened
        opened.close()
        process.terminate()
        assert process.wait(30) == 0


@dataclass(frozen=True)
class Task:
    """One that is open.

    Attributes:
        page: shows it.
        question: in the database.
        shown: the mask that is asked about, (H, W) bool.
    """

    page: Page
    question: Any
    shown: Pixels

    def mask(self) -> Pixels:
        """The mask that Label Studio would send now."""
        rle = self.page.evaluate(
            "Htx.annotationStore.selected.serializeAnnotation()"
            ".filter((each) => each.from_name === 'mask').map((each) => each.value.rle)"
        )
        assert len(rle) == 1, "one region, however often it was clicked"
        return np.asarray(decode_mask(rle[0], *self.shown.shape) > 127)

    def click(self, place: Click) -> Pixels:
        """Click into the photo, by the mode that is on; the mask after the answer."""
        return self.answered(lambda: self.page.mouse.click(*self.at(place.x, place.y)))

    def box(self, start: tuple[float, float], stop: tuple[float, float]) -> Pixels:
        """Draw a rectangle, by the mode that is on; the mask after the answer."""
        return self.answered(lambda: drag(self.page, start, stop))

    def answered(self, act: Callable[[], None]) -> Pixels:
        with self.page.expect_response(lambda each: "interactive-annotating" in each.url) as answer:
            act()
        assert "errors" not in answer.value.json(), answer.value.json()
        self.page.wait_for_timeout(1000)  # drawn by a worker, and only then can it be clicked
        return self.mask()

    def at(self, x: float, y: float) -> tuple[float, float]:
        box = self.page.locator(LOADED).bounding_box()
        assert box is not None
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def holds(self, mask: Pixels, x: float, y: float) -> bool:
        return bool(mask[Click(x=x, y=y, positive=True).pixel(mask.shape)])

    def place(self, share: float, *, positive: bool) -> Click:
        """A pixel outside of the mask, or inside: so far down among all of them."""
        found = np.argwhere(self.shown != positive)
        row, column = found[int(share * len(found))]
        height, width = self.shown.shape
        return Click(x=(column + 0.5) / width, y=(row + 0.5) / height, positive=positive)


@pytest.fixture
def task(clicked: Workspace, page: Page) -> Task:
    """The one that is open; none is opened twice, since each test sends its own."""
    number = next_task(page)
    question = next(each for each in requests(clicked) if each.task_id == number)
    blob = next(each.blob for each in masks(clicked) if each.id == question.mask_id)
    opened = Task(page, question, read_mask(clicked.store, blob))
    assert np.array_equal(opened.mask(), opened.shown)
    return opened


def sent_and_pulled(workspace: Workspace, task: Task, real: LabelStudioGateway) -> Any:
    """Send what is on the screen: it is pulled as a fix, pixel by pixel. The review."""
    last = task.mask()
    sent_by(task.page, "Enter")
    next_task(task.page, after=task.question.task_id)
    result = pull_answers(workspace, gateway=real)
    assert (result.problems, result.decisions) == ([], {"fix": 1})
    (review,) = (each for each in reviews(workspace) if each.request_id == task.question.id)
    fixed = next(each for each in masks(workspace) if each.id == review.fixed_mask_id)
    assert np.array_equal(read_mask(workspace.store, fixed.blob), last)
    return review


def test_clicks_mend_the_mask_and_are_pulled_as_shown(
    clicked: Workspace, real: LabelStudioGateway, task: Task, pictures: Path
) -> None:
    page, shown = task.page, task.shown
    surplus, wanted = task.place(0.5, positive=False), task.place(0.33, positive=True)
    other = task.place(0.7, positive=False)
    page.keyboard.press("x")
    once = task.click(surplus)
    assert not task.holds(once, surplus.x, surplus.y), "a click into the mask counts"
    keep_picture(page, pictures / "clicks.png")
    page.keyboard.press("s")
    twice = task.click(wanted)
    assert task.holds(twice, wanted.x, wanted.y)
    assert not task.holds(twice, surplus.x, surplus.y), "the first click still counts"

    page.keyboard.press("Control+z")
    assert np.array_equal(task.mask(), once)
    page.keyboard.press("Control+z")
    assert np.array_equal(task.mask(), shown)
    page.keyboard.press("Control+Shift+z")
    assert np.array_equal(task.mask(), once)
    page.keyboard.press("x")
    again = task.click(other)
    assert not task.holds(again, other.x, other.y), "a click after Ctrl+Z is answered"
    assert not task.holds(again, surplus.x, surplus.y)

    review = sent_and_pulled(clicked, task, real)
    assert [each["positive"] for each in review.marks] == [False, False]
    assert [each["x"] for each in review.marks] == pytest.approx([surplus.x, other.x], abs=0.01)
    (counts,) = review_status(clicked).reviewers.values()
    assert counts.marks_a_fix == 2


def test_brush_eraser_and_clicks_mix(
    clicked: Workspace, real: LabelStudioGateway, task: Task
) -> None:
    page = task.page
    surplus, more = task.place(0.5, positive=False), task.place(0.8, positive=False)
    page.keyboard.press("x")
    task.click(surplus)
    page.keyboard.press("b")
    drag(page, *STROKE)
    here = (surplus.x, surplus.y)
    drag(page, here, here)  # on second thoughts: what the click took away is painted back
    page.keyboard.press("x")
    after = task.click(more)
    assert not task.holds(after, more.x, more.y)
    assert task.holds(after, *ON_STROKE), "a click goes on from the stroke"
    assert task.holds(after, *here), "a stroke over an earlier click has the word"

    page.keyboard.press("e")
    page.wait_for_function(f"{NOTHING_SELECTED} === 'none'")
    drag(page, *STROKE)
    page.keyboard.press("s")
    last = task.click(more)
    assert task.holds(last, more.x, more.y)
    assert not task.holds(last, *ON_STROKE), "a click goes on from the eraser's stroke"
    page.keyboard.press("b")
    drag(page, *STROKE)
    assert task.holds(task.mask(), *ON_STROKE), "and a stroke from the click"

    review = sent_and_pulled(clicked, task, real)
    assert [each["positive"] for each in review.marks] == [False, False, True]


def test_a_box_and_a_click_that_is_sent_before_its_answer(
    clicked: Workspace, real: LabelStudioGateway, task: Task
) -> None:
    page, shown = task.page, task.shown
    height, width = shown.shape
    rows = np.nonzero(shown)[0]
    middle = float(np.median(rows)) / height
    page.keyboard.press("q")
    boxed = task.box((0.01, 0.01), (0.99, middle))
    assert boxed.any()
    assert not boxed[round(middle * height) + height // 100 + 1 :].any(), "nothing outside of it"

    page.keyboard.press("x")
    inside = np.argwhere(boxed)[boxed.sum() // 2]
    x, y = (inside[1] + 0.5) / width, (inside[0] + 0.5) / height
    page.mouse.click(*task.at(x, y))
    page.keyboard.press("a")
    assert page.locator("text=The mask was changed").is_visible(), "no slip accepts it"
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.ok):
        page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    result = pull_answers(clicked, gateway=real)
    assert (result.problems, result.decisions) == ([], {"fix": 1})
    (review,) = (each for each in reviews(clicked) if each.request_id == task.question.id)
    fixed = next(each for each in masks(clicked) if each.id == review.fixed_mask_id)
    assert not task.holds(read_mask(clicked.store, fixed.blob), x, y), "the answer is awaited"
    assert ["width" in each for each in review.marks] == [True, False]
