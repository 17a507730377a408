"""A person's minute in a real browser: accept one, reject one, fix one, and pull."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from dataengine.cli import app
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.pictures.stored_masks import read_mask
from pipelines.review.pull import pull_answers
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.label_studio import RealServer
from tests.pipelines.review.conftest import masks, push_real, requests, reviews

TITLE = "Portraits in the browser"
NUMBER = ".lsf-current-task__task-id"
LOADED = ".lsf-image img[src^=blob]"
# Left and above of the person in all three photos.
STROKE = ((0.06, 0.10), (0.16, 0.16))


@pytest.fixture(scope="module")
def astronauts(
    tmp_path_factory: pytest.TempPathFactory,
    server: RealServer,
    shared: Path,
    astronaut: npt.NDArray[np.uint8],
) -> Iterator[Workspace]:
    """Three portraits with real masks."""
    raw = tmp_path_factory.mktemp("raw")
    Image.fromarray(astronaut).save(raw / "one.png")
    Image.fromarray((astronaut * 0.35).astype(np.uint8)).save(raw / "two.png")
    Image.fromarray(255 - (255 - astronaut) // 2).save(raw / "three.png")
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
    """A page that is logged in, as large as a small laptop's."""
    login = server.server.login
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(30_000)
    opened.goto(f"{server.url}/user/login/")
    opened.fill("input[name=email]", login.email)
    opened.fill("input[name=password]", login.password)
    opened.keyboard.press("Enter")
    opened.wait_for_url(lambda url: "login" not in url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: REVIEW_SCREENSHOTS, or among pytest's temporary files."""
    named = os.environ.get("REVIEW_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def next_task(page: Page, *, after: int = 0) -> int:
    """Wait until another task's image and mask are drawn; the task's number."""
    number = f"document.querySelector('{NUMBER}')?.firstChild?.textContent"
    page.wait_for_function(f"Number({number} ?? {after}) !== {after}")
    page.wait_for_selector(LOADED)
    page.wait_for_selector("text=portrait >> nth=1")
    page.wait_for_timeout(1000)  # the mask is drawn in a worker
    return int(page.evaluate(number))


def keep_picture(page: Page, file: Path) -> None:
    """A screenshot in 256 colours, small enough for a repository."""
    page.screenshot(path=file)
    with Image.open(file) as picture:
        reduced = picture.convert("RGB").quantize(256)
    reduced.save(file, optimize=True)


def submit(page: Page) -> None:
    """Ctrl+Enter, and wait until the server has it."""
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.ok):
        page.keyboard.press("Control+Enter")


def everything_is_on_one_screen(page: Page) -> bool:
    """Image, decisions and buttons within the window, nothing to scroll to."""
    seen = [page.locator(each).first.bounding_box() for each in (
        LOADED, "text=Accept", "text=Submit", "text=Instructions",
    )]  # fmt: skip
    return all(box and box["y"] >= 0 and box["y"] + box["height"] <= 800 for box in seen)


def drag(page: Page, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """Paint from one point of the image to another, in shares of its size."""
    box = page.locator(LOADED).bounding_box()
    assert box is not None
    points = [
        (box["x"] + across * box["width"], box["y"] + down * box["height"])
        for across, down in (start, stop)
    ]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=8)
    page.mouse.up()
    page.wait_for_timeout(500)


def test_three_decisions(
    astronauts: Workspace, page: Page, server: RealServer, real: LabelStudioGateway, pictures: Path
) -> None:
    pushed = push_real(astronauts, real)
    assert pushed.sent == 3
    shown = {mask.id: read_mask(astronauts.store, mask.blob) for mask in masks(astronauts)}
    by_task = {request.task_id: request for request in requests(astronauts)}
    page.goto(f"{server.url}/projects/{pushed.project.server_id}/data?labeling=1")

    first = by_task[next_task(page)]
    keep_picture(page, pictures / "task.png")
    assert everything_is_on_one_screen(page)
    page.keyboard.press("a")
    submit(page)

    second = by_task[next_task(page, after=first.task_id)]
    page.keyboard.press("r")
    page.keyboard.press("1")
    page.keyboard.press("4")
    page.wait_for_timeout(300)
    keep_picture(page, pictures / "reject.png")
    assert everything_is_on_one_screen(page)
    submit(page)

    third = by_task[next_task(page, after=second.task_id)]
    page.keyboard.press("f")
    drag(page, *STROKE)
    keep_picture(page, pictures / "fix.png")
    submit(page)
    page.wait_for_timeout(500)

    result = pull_answers(astronauts, gateway=real)
    assert (result.problems, result.decisions) == ([], {"accept": 1, "reject": 1, "fix": 1})
    of_request = {review.request_id: review for review in reviews(astronauts)}
    assert of_request[first.id].decision == "accept"
    assert of_request[second.id].decision == "reject"
    assert of_request[second.id].reasons == ["missing_part", "rough_edge"]
    assert of_request[third.id].decision == "fix"
    assert all(review.seconds > 0 for review in of_request.values())
    # Only the stroke is new.
    fixed = next(
        each for each in masks(astronauts) if each.id == of_request[third.id].fixed_mask_id
    )
    after = read_mask(astronauts.store, fixed.blob)
    before = shown[third.mask_id]
    changed = np.argwhere(before ^ after)
    height, width = before.shape
    (left, top), (right, bottom) = STROKE
    assert not (before & ~after).any()
    assert changed.size > 0
    assert changed[:, 1].max() < (right + 0.1) * width
    assert changed[:, 0].max() < (bottom + 0.1) * height
    assert changed[:, 1].min() > (left - 0.1) * width
    assert changed[:, 0].min() > (top - 0.1) * height


def test_the_guideline_is_one_click_away(
    astronauts: Workspace, page: Page, server: RealServer, real: LabelStudioGateway, pictures: Path
) -> None:
    push_real(astronauts, real)
    (project,) = real.find_projects(TITLE)
    task = min(real.task_ids(project.id))
    page.goto(f"{server.url}/projects/{project.id}/data?task={task}")
    page.click("text=Instructions")
    page.wait_for_selector("text=Is this the mask of the main subject?")
    for belongs in ("Main subject only", "Hair", "Glasses", "hats", "Held objects"):
        assert page.locator(f"text={belongs}").first.is_visible()
    page.wait_for_timeout(500)
    keep_picture(page, pictures / "guideline.png")
