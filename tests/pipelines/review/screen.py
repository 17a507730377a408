"""The labeling screen of a real server, driven by a real browser."""

from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.label_studio import RealServer

NUMBER = ".lsf-current-task__task-id"
LOADED = ".lsf-image img[src^=blob]"
MASKS = "window.Htx?.annotationStore?.selected?.regionStore?.regions?.length"
NOTHING_SELECTED = "getComputedStyle(document.querySelector('.de-photo'), '::before').content"
"""What the screen says to whoever holds the eraser and has selected nothing."""


def logged_in(server: RealServer, browser: Browser) -> Page:
    """A page that is logged in, as large as a small laptop's."""
    login = server.server.login
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(30_000)
    opened.goto(f"{server.url}/user/login/")
    opened.fill("input[name=email]", login.email)
    opened.fill("input[name=password]", login.password)
    opened.keyboard.press("Enter")
    opened.wait_for_url(lambda url: "login" not in url)
    return opened


def next_task(page: Page, *, after: int = 0) -> int:
    """Wait until another task's image and mask are drawn; the task's number."""
    number = f"document.querySelector('{NUMBER}')?.firstChild?.textContent"
    page.wait_for_function(f"Number({number} ?? {after}) !== {after}")
    page.wait_for_selector(LOADED)
    page.wait_for_function(MASKS)
    page.wait_for_timeout(1000)  # the mask is drawn in a worker
    return int(page.evaluate(number))


def sent_by(page: Page, key: str) -> None:
    """Press a key that submits, and wait until the server has it."""
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.ok):
        page.keyboard.press(key)


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


def keep_picture(page: Page, file: Path) -> None:
    """A screenshot in 256 colours, small enough for a repository."""
    page.screenshot(path=file)
    with Image.open(file) as picture:
        reduced = picture.convert("RGB").quantize(256)
    reduced.save(file, optimize=True)
