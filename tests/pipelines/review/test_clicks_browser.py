"""Clicks in the real screen: the mask is mended, submitted and pulled, pixel by pixel as shown."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, Page

from pipelines.label_studio import addon
from pipelines.label_studio.rle import decode_mask
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.pictures.stored_masks import read_mask
from pipelines.review.pull import pull_answers
from pipelines.review.push import PushResult
from pipelines.review.status import review_status
from pipelines.workspace.workspace import Workspace
from sinet.clicks.click import Click
from tests.label_studio import RealServer
from tests.pipelines.review.conftest import masks, push_real, requests, reviews

LOADED = ".lsf-image img[src^=blob]"
SCRIPT = Path(addon.__path__[0]) / "clicks.js"


@pytest.fixture
def pushed(served: Workspace, real: LabelStudioGateway) -> PushResult:
    return push_real(served, real)


@pytest.fixture
def backend(served: Workspace, server: RealServer, pushed: PushResult) -> Iterator[None]:
    """`dataengine review clicks`, as somebody starts it beside a server that runs already."""
    program = [sys.executable, "-c", "from dataengine.cli import main; main()"]
    command = [*program, "-w", str(served.paths.root), "review", "clicks"]
    access = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    with subprocess.Popen(
        command, env={**os.environ, **access}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Clicks are answered in {pushed.project.title!r}.\n"
        yield
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture
def page(server: RealServer, browser: Browser) -> Iterator[Page]:
    login = server.server.login
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(60_000)
    opened.add_init_script(path=SCRIPT)
    opened.goto(f"{server.url}/user/login/")
    opened.fill("input[name=email]", login.email)
    opened.fill("input[name=password]", login.password)
    opened.keyboard.press("Enter")
    opened.wait_for_url(lambda url: "login" not in url)
    yield opened
    opened.close()


def on_screen(page: Page, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The mask that Label Studio would send now."""
    rle = page.evaluate(
        "Htx.annotationStore.selected.serializeAnnotation()"
        ".filter((each) => each.from_name === 'mask').map((each) => each.value.rle)"
    )
    assert len(rle) == 1, "one region, however often it was clicked"
    return np.asarray(decode_mask(rle[0], *shape) > 127)


def click(page: Page, place: Click) -> None:
    """Click into the photo, and wait for the answer to be drawn."""
    box = page.locator(LOADED).bounding_box()
    assert box is not None
    with page.expect_response(lambda answer: "interactive-annotating" in answer.url) as answered:
        page.mouse.click(box["x"] + place.x * box["width"], box["y"] + place.y * box["height"])
    assert "errors" not in answered.value.json(), answered.value.json()
    page.wait_for_timeout(500)


def test_clicks_mend_the_mask_and_are_pulled_as_shown(
    served: Workspace,
    server: RealServer,
    real: LabelStudioGateway,
    pushed: PushResult,
    backend: None,
    page: Page,
) -> None:
    question = requests(served)[0]
    blob = next(each.blob for each in masks(served) if each.id == question.mask_id)
    shown = read_mask(served.store, blob)
    shape = shown.shape
    outside, inside = np.argwhere(~shown), np.argwhere(shown)
    height, width = shape
    wanted, surplus = (
        Click(x=(column + 0.5) / width, y=(row + 0.5) / height, positive=positive)
        for (row, column), positive in (
            (outside[len(outside) // 3], True),
            (inside[len(inside) // 2], False),
        )
    )
    page.goto(f"{server.url}/projects/{pushed.project.server_id}/data?task={question.task_id}")
    page.wait_for_selector(LOADED)
    page.wait_for_selector("text=portrait")
    page.wait_for_timeout(1500)
    assert np.array_equal(on_screen(page, shape), shown)

    page.keyboard.press("s")
    click(page, wanted)
    once = on_screen(page, shape)
    assert once[wanted.pixel(shape)]
    page.keyboard.press("x")
    click(page, surplus)
    twice = on_screen(page, shape)
    assert not twice[surplus.pixel(shape)]
    assert twice[wanted.pixel(shape)], "the first click still counts"

    page.keyboard.press("f")
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.ok):
        page.keyboard.press("Control+Enter")
    page.wait_for_timeout(500)
    result = pull_answers(served, gateway=real)
    assert (result.problems, result.decisions) == ([], {"fix": 1})
    (review,) = (each for each in reviews(served) if each.request_id == question.id)
    fixed = next(each for each in masks(served) if each.id == review.fixed_mask_id)
    assert np.array_equal(read_mask(served.store, fixed.blob), twice)
    assert [each["positive"] for each in review.marks] == [True, False]
    assert [each["x"] for each in review.marks] == pytest.approx([wanted.x, surplus.x], abs=0.01)
    (counts,) = review_status(served).reviewers.values()
    assert counts.marks_a_fix == 2
