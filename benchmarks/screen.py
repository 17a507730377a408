"""How long the labeling screen takes: a real Label Studio in a real browser, driven by keys.

Run by `benchmarks/review.py --part screen`. Measured is the machine's part: from the key that sends
until the next task's photo and mask are drawn. The person's part is a model, stated beside it: the
keystroke-level model (Card, Moran and Newell 1980), with their seconds.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from pipelines.label_studio.server import LocalServer

CHROMIUM: Final = Path("/usr/bin/chromium")
FLAGS: Final = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
KEY, POINT, PRESS, HOME, THINK = 0.2, 1.1, 0.1, 0.4, 1.35
"""Seconds: a key, to point with the mouse, a button down or up, a hand to the other device, and to
look and decide."""

TASK: Final = "Number(window.Htx?.task?.id ?? 0)"
READY: Final = """before => {
  const of = window.Htx?.annotationStore?.selected;
  return Number(window.Htx?.task?.id ?? 0) !== before && !window.Htx.isLoading
    && !window.Htx.isSubmitting && Boolean(of?.names?.get("image")?.currentImageEntity?.imageLoaded)
    && of.regionStore.regions.length > 0;
}"""
PHOTO: Final = ".lsf-image img[src^=blob]"


@dataclass(frozen=True)
class Action:
    """A decision, as fast as the screen allows.

    Attributes:
        name: of it.
        keys: pressed, the last of which sends; `stroke` is one of the mouse.
    """

    name: str
    keys: tuple[str, ...]

    @property
    def person(self) -> float:
        """Seconds of the person's, by the model: to look once, then keys and strokes."""
        strokes = self.keys.count("stroke")
        keys = sum(len(key.split("+")) for key in self.keys if key != "stroke")
        # To the mouse and back; to where a stroke begins, and to where it ends.
        return THINK + keys * KEY + strokes * (THINK + 2 * POINT + 2 * PRESS) + (
            2 * HOME if strokes else 0
        )  # fmt: skip


OURS: Final = (
    Action("accept", ("a",)),
    Action("reject, one reason", ("1", "Enter")),
    Action("fix by brush, one stroke", ("stroke", "Enter")),
    Action("fix by eraser, one stroke", ("e", "stroke", "Enter")),
)
ELSEWHERE: Final = (
    Action("accept", ("a", "Control+Enter")),
    Action("reject, one reason", ("r", "1", "Control+Enter")),
    Action("fix by brush, one stroke", ("f", "stroke", "Control+Enter")),
    Action("fix by eraser, one stroke", ("f", "Alt+.", "e", "stroke", "Control+Enter")),
)
"""Without our script in the pages."""
ACTIONS: Final = len(OURS) + len(ELSEWHERE)


def print_table(server: LocalServer, project: int, rounds: int) -> None:
    """Markdown: of each action presses, the person's seconds by the model, and the screen's."""
    print("| | server | presses | person (model) | screen: median (lowest to highest) |")
    print("|---|---|---|---|---|")
    with logged_in(server) as new_page:
        for title, actions, ours in (("ours", OURS, True), ("another", ELSEWHERE, False)):
            page = new_page()
            if not ours:
                page.route("**/dataengine/*.js*", lambda route: route.abort())
            page.goto(f"{server.url}/projects/{project}/data?labeling=1")
            page.wait_for_function(READY, arg=0)
            for action, seconds in zip(actions, timed(page, actions, rounds), strict=True):
                median = statistics.median(seconds)
                print(
                    f"| {action.name} | {title} | {len(action.keys)} | {action.person:.1f} s | "
                    f"{median:.2f} s ({min(seconds):.2f} to {max(seconds):.2f}) |",
                    flush=True,
                )
            page.close()


def timed(page: Page, actions: Sequence[Action], rounds: int) -> list[list[float]]:
    """Seconds from sending until the next task is ready, of each action; they take turns."""
    found: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, seconds in zip(actions, found, strict=True):
            page.wait_for_timeout(1_000)  # somebody looks
            before = page.evaluate(TASK)
            for key in action.keys[:-1]:
                if key == "stroke":
                    stroke(page)
                else:
                    page.keyboard.press(key)
            page.wait_for_timeout(300)
            started = time.perf_counter()
            page.keyboard.press(action.keys[-1])
            page.wait_for_function(READY, arg=before)
            seconds.append(time.perf_counter() - started)
    return found


def stroke(page: Page) -> None:
    """Across the middle of the photo, where there is a person, and past the edge of the mask."""
    box = page.locator(PHOTO).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 0.7 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + 5, steps=8)
    page.mouse.up()


@contextmanager
def logged_in(server: LocalServer) -> Iterator[Callable[[], Page]]:
    """Opens pages of a browser that the server's first user is logged in with."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.goto(f"{server.url}/user/login/")
        page.fill("input[name=email]", server.login.email)
        page.fill("input[name=password]", server.login.password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "login" not in url)
        page.close()
        yield context.new_page
        browser.close()
