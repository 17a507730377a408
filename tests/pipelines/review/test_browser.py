"""A person's minute in a real browser: accept one, reject one, fix one, and pull.

On our own server, whose pages have our script, and as on a server of somebody else's, without it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from dataengine.cli import app
from db import Review, ReviewRequest
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.pictures.stored_masks import read_mask
from pipelines.review.pull import pull_answers
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
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

TITLE = "Portraits in the browser"
SCRIPT = "**/dataengine/screen.js*"
# Left and above of the person in all photos, and in the middle of the person.
STROKE = ((0.06, 0.10), (0.16, 0.16))
ERASED = ((0.45, 0.70), (0.55, 0.74))


@pytest.fixture(scope="module")
def astronauts(
    tmp_path_factory: pytest.TempPathFactory,
    server: RealServer,
    shared: Path,
    astronaut: npt.NDArray[np.uint8],
) -> Iterator[Workspace]:
    """Five portraits with real masks."""
    raw = tmp_path_factory.mktemp("raw")
    Image.fromarray(astronaut).save(raw / "one.png")
    Image.fromarray((astronaut * 0.35).astype(np.uint8)).save(raw / "two.png")
    Image.fromarray(255 - (255 - astronaut) // 2).save(raw / "three.png")
    Image.fromarray((astronaut * 0.6).astype(np.uint8)).save(raw / "four.png")
    Image.fromarray(np.ascontiguousarray(astronaut[:, ::-1])).save(raw / "five.png")
    root = server.root / "astronauts"
    teacher = f"onnx:{shared / 'weights' / 'deeplabv3_mobilenetv2_voc.onnx'}"
    arguments = ["-w", str(root), "ingest", str(raw), "--teacher", teacher, "--workers", "0"]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.output
    options = {"review": {"project": TITLE, "document_root": str(server.root)}}
    opened = Workspace(root, load_settings(root, options))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(server: RealServer, browser: Browser) -> Iterator[Page]:
    """On our own server."""
    opened = logged_in(server, browser)
    yield opened
    opened.close()


@pytest.fixture
def page_elsewhere(server: RealServer, browser: Browser) -> Iterator[Page]:
    """As on a server of somebody else's: there is no script of ours."""
    opened = logged_in(server, browser)
    opened.route(SCRIPT, lambda route: route.abort())
    yield opened
    opened.close()


def everything_is_on_one_screen(page: Page) -> bool:
    """Image, decisions and buttons within the window, nothing to scroll to."""
    seen = [page.locator(each).first.bounding_box() for each in (
        LOADED, "text=Accept", "text=Submit", "text=Instructions",
    )]  # fmt: skip
    return all(box and box["y"] >= 0 and box["y"] + box["height"] <= 800 for box in seen)


@dataclass(frozen=True)
class Asked:
    """What was pushed: tasks, their questions, and the masks that they show, by id."""

    url: str
    by_task: dict[int, ReviewRequest]
    shown: dict[int, npt.NDArray[np.bool_]]


@pytest.fixture(scope="module")
def asked(astronauts: Workspace, server: RealServer, real: LabelStudioGateway) -> Asked:
    pushed = push_real(astronauts, real)
    assert pushed.sent == 5
    shown = {mask.id: read_mask(astronauts.store, mask.blob) for mask in masks(astronauts)}
    by_task = {request.task_id: request for request in requests(astronauts)}
    return Asked(f"{server.url}/projects/{pushed.project.server_id}/data", by_task, shown)


def fixed(workspace: Workspace, review: Review) -> npt.NDArray[np.bool_]:
    """The mask that somebody drew."""
    (mask,) = (each for each in masks(workspace) if each.id == review.fixed_mask_id)
    return read_mask(workspace.store, mask.blob)


def test_three_decisions(
    astronauts: Workspace, asked: Asked, page: Page, real: LabelStudioGateway, pictures: Path
) -> None:
    page.goto(f"{asked.url}?labeling=1")

    first = asked.by_task[next_task(page)]
    keep_picture(page, pictures / "task.png")
    assert everything_is_on_one_screen(page)
    sent_by(page, "a")

    second = asked.by_task[next_task(page, after=first.task_id)]
    page.keyboard.press("1")
    page.keyboard.press("4")
    page.wait_for_timeout(300)
    keep_picture(page, pictures / "reject.png")
    assert everything_is_on_one_screen(page)
    sent_by(page, "Enter")

    third = asked.by_task[next_task(page, after=second.task_id)]
    page.keyboard.press("b")  # it is held already
    drag(page, *STROKE)
    keep_picture(page, pictures / "fix.png")
    # What was changed is not accepted.
    page.keyboard.press("a")
    assert page.locator("text=The mask was changed").is_visible()
    page.click(".de-panel .ant-input")
    page.keyboard.type("a stroke")
    sent_by(page, "Control+Enter")
    page.wait_for_timeout(500)

    result = pull_answers(astronauts, gateway=real)
    assert (result.problems, result.decisions) == ([], {"accept": 1, "reject": 1, "fix": 1})
    of_request = {review.request_id: review for review in reviews(astronauts)}
    assert of_request[first.id].decision == "accept"
    assert of_request[second.id].decision == "reject"
    assert of_request[second.id].reasons == ["missing_part", "rough_edge"]
    assert of_request[third.id].decision == "fix"
    assert all(review.seconds > 0 for review in of_request.values())
    assert of_request[third.id].comment == "a stroke"
    # Only the stroke is new.
    after = fixed(astronauts, of_request[third.id])
    before = asked.shown[third.mask_id]
    changed = np.argwhere(before ^ after)
    height, width = before.shape
    (left, top), (right, bottom) = STROKE
    assert not (before & ~after).any()
    assert changed.size > 0
    assert changed[:, 1].max() < (right + 0.1) * width
    assert changed[:, 0].max() < (bottom + 0.1) * height
    assert changed[:, 1].min() > (left - 0.1) * width
    assert changed[:, 0].min() > (top - 0.1) * height


def assert_erased(before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_]) -> None:
    """Only the stroke is gone."""
    gone = np.argwhere(before & ~after)
    height, width = before.shape
    (left, top), (right, bottom) = ERASED
    assert not (after & ~before).any()
    assert gone.size > 0
    assert (left - 0.1) * width < gone[:, 1].min() < gone[:, 1].max() < (right + 0.1) * width
    assert (top - 0.1) * height < gone[:, 0].min() < gone[:, 0].max() < (bottom + 0.1) * height


def test_the_eraser_needs_no_selection(
    astronauts: Workspace, asked: Asked, page: Page, real: LabelStudioGateway
) -> None:
    page.goto(f"{asked.url}?labeling=1")
    question = asked.by_task[next_task(page)]
    page.keyboard.press("u")  # takes the selection away that opening made
    page.keyboard.press("e")
    drag(page, *ERASED)
    sent_by(page, "Enter")
    page.wait_for_timeout(500)

    result = pull_answers(astronauts, gateway=real)
    assert (result.problems, result.decisions) == ([], {"fix": 1})
    (review,) = (each for each in reviews(astronauts) if each.request_id == question.id)
    assert_erased(asked.shown[question.mask_id], fixed(astronauts, review))


def test_elsewhere_the_screen_says_that_the_eraser_needs_a_selection(
    astronauts: Workspace, asked: Asked, page_elsewhere: Page, real: LabelStudioGateway
) -> None:
    page = page_elsewhere
    page.goto(f"{asked.url}?labeling=1")
    question = asked.by_task[next_task(page)]
    assert page.evaluate("window.dataengineScreen") is None
    page.keyboard.press("f")
    assert page.evaluate(NOTHING_SELECTED) == "none"
    page.keyboard.press("e")
    page.wait_for_function(f"{NOTHING_SELECTED}.includes('Alt+.')")
    page.keyboard.press("Alt+.")
    page.wait_for_function(f"{NOTHING_SELECTED} === 'none'")
    drag(page, *ERASED)
    sent_by(page, "Control+Enter")
    page.wait_for_timeout(500)

    result = pull_answers(astronauts, gateway=real)
    assert (result.problems, result.decisions) == ([], {"fix": 1})
    (review,) = (each for each in reviews(astronauts) if each.request_id == question.id)
    assert_erased(asked.shown[question.mask_id], fixed(astronauts, review))


@pytest.mark.parametrize("width", [1280, 1920])
def test_a_problems_link_shows_the_whole_photo(asked: Asked, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": width * 5 // 8})
    page.goto(f"{asked.url}?task={min(asked.by_task)}")
    page.wait_for_selector(LOADED)
    page.wait_for_timeout(500)
    photo = page.locator(LOADED).bounding_box()
    foot = page.locator(".lsf-bottombar").bounding_box()
    panel = page.locator(".de-panel").bounding_box()
    assert photo is not None
    assert foot is not None
    assert panel is not None
    assert photo["y"] + photo["height"] <= foot["y"]
    assert photo["x"] + photo["width"] <= panel["x"]
    # And it uses what there is of height or of width.
    down = photo["height"] / foot["y"]
    across = photo["width"] / (panel["x"] - photo["x"])
    assert max(down, across) > 0.8


def test_the_guideline_is_one_click_away(asked: Asked, page: Page, pictures: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{asked.url}?task={min(asked.by_task)}")
    page.click("text=Instructions")
    page.wait_for_selector("text=Is this the mask of the main subject?")
    for belongs in ("Main subject only", "Hair", "Glasses", "hats", "Held objects"):
        assert page.locator(f"text={belongs}").first.is_visible()
    page.wait_for_timeout(500)
    keep_picture(page, pictures / "guideline.png")
