"""How long the labeling screen takes: a real Label Studio in a real browser, driven by keys.

Run by `benchmarks/review.py --part screen`. Measured is the machine's part: from each click until
its answer is on the screen, and from the key that sends until the next task's photo and mask are
drawn. The person's part is a model, stated beside it: the keystroke-level model (Card, Moran and
Newell, "The keystroke-level model for user performance time with interactive systems", 1980), with
their seconds for an average skilled typist; a button of the mouse takes 0.2.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from pipelines.label_studio.rle import decode_mask
from pipelines.label_studio.server import LocalServer
from sinet.clicks.simulating import next_click
from sinet.pictures.threshold import is_person

Mask = NDArray[np.bool_]
CHROMIUM: Final = Path("/usr/bin/chromium")
FLAGS: Final = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
KEY, POINT, PRESS, HOME, THINK = 0.2, 1.1, 0.1, 0.4, 1.35
"""Seconds: a key, to point with the mouse, a button down or up, a hand to the other device, and to
look and decide."""
GOAL, MOST = 0.95, 5
"""A fix by clicks ends at this IoU with the hand mask, or after so many clicks."""

TASK: Final = "Number(window.Htx?.task?.id ?? 0)"
READY: Final = """before => {
  const of = window.Htx?.annotationStore?.selected;
  return Number(window.Htx?.task?.id ?? 0) !== before && !window.Htx.isLoading
    && !window.Htx.isSubmitting && Boolean(of?.names?.get("image")?.currentImageEntity?.imageLoaded)
    && of.regionStore.regions.length > 0;
}"""
ANSWERED: Final = """() => !window.Htx.awaitingSuggestions
  && !window.dataengineClicks.isPending(window.Htx.annotationStore.selected)"""
SHOWN: Final = """window.Htx.annotationStore.selected.serializeAnnotation({ fast: true })
  .find((each) => each.from_name === "mask")"""
HOLD_BRUSH: Final = """() => {
  const of = window.Htx.annotationStore.selected;
  const manager = of.names.get("image").getToolsManager();
  const brush = manager.allTools().find((each) => each.fullName === "BrushTool");
  if (!brush.selected) manager.selectTool(brush, true);
  for (const label of of.names.get("mask").children) if (!label.selected) label.setSelected(true);
}"""
"""As each action finds it, whatever was held before."""
PHOTO: Final = ".lsf-image img[src^=blob]"


@dataclass(frozen=True)
class Action:
    """A decision, as fast as the screen allows.

    Attributes:
        name: of it.
        keys: pressed, the last of which sends; `stroke` is one of the mouse, `clicks` as many as it
            takes, each with the key of its mode where that changes.
    """

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """An action, done once.

    Attributes:
        keys: that were pressed, `stroke` and `click` being the mouse's.
        sent: seconds from sending until the next task is ready.
        answered: seconds that the answers to its clicks took, one by one.
    """

    keys: tuple[str, ...]
    sent: float
    answered: tuple[float, ...] = ()


def person(keys: Sequence[str]) -> float:
    """Seconds of the person's, by the model: to look once, then keys, strokes and clicks."""
    strokes, clicks = keys.count("stroke"), keys.count("click")
    pressed = sum(len(key.split("+")) for key in keys if key not in ("stroke", "click"))
    # To look where it begins, to point there and, of a stroke, to where it ends; hands go to the
    # mouse and back.
    by_mouse = strokes * (THINK + 2 * POINT + 2 * PRESS) + clicks * (THINK + POINT + 2 * PRESS)
    return THINK + pressed * KEY + by_mouse + (2 * HOME if by_mouse else 0)


OURS: Final = (
    Action("accept", ("a",)),
    Action("reject, one reason", ("1", "Enter")),
    Action("fix by clicks", ("clicks", "Enter")),
    Action("fix by brush, one stroke", ("stroke", "Enter")),
    Action("fix by eraser, one stroke", ("e", "stroke", "Enter")),
)
LABEL_STUDIOS: Final = (
    Action("accept", ("a", "Control+Enter")),
    Action("reject, one reason", ("r", "1", "Control+Enter")),
    Action("fix by brush, one stroke", ("f", "stroke", "Control+Enter")),
)
"""In a screen without our script."""
CLICKED: Final = 4
"""As many tasks a round may be fixed by clicks; whichever comes when a fix is due."""


def tasks(rounds: int) -> int:
    """How many are shown, in any order: some to spare, lest none to be clicked into is left."""
    return rounds * (len(OURS) + 1 + len(LABEL_STUDIOS)) + 4


def print_table(server: LocalServer, project: int, rounds: int, truths: Mapping[int, Mask]) -> None:
    """Markdown: of each action presses, the person's seconds by the model, and the screen's.

    First by our screen, then by Label Studio's own, which never gets our script.

    Args:
        server: running.
        project: with `tasks` of them.
        rounds: of all actions.
        truths: hand masks of the tasks that are fixed by clicks, (H, W) bool, by the task's number.
    """
    with browser_of(server) as new_page:
        for title, actions in (("ours", OURS), ("Label Studio's own", LABEL_STUDIOS)):
            print(f"| {title} | presses | person (model) | screen: median (lowest to highest) |")
            print("|---|---|---|---|")
            page = new_page()
            if actions is LABEL_STUDIOS:
                page.route("**/dataengine/*.js*", lambda route: route.abort())
            page.goto(f"{server.url}/projects/{project}/data?labeling=1")
            page.wait_for_function(READY, arg=0)
            for action, done in zip(actions, timed(page, actions, rounds, truths), strict=True):
                print(row(action.name, done), flush=True)
            page.close()


def row(name: str, done: Sequence[Done]) -> str:
    """Of an action that was done some times."""
    sent = [each.sent for each in done]
    presses = statistics.mean(len(each.keys) for each in done)
    model = statistics.mean(person(each.keys) for each in done)
    text = f"{statistics.median(sent):.2f} s ({min(sent):.2f} to {max(sent):.2f})"
    if answers := [seconds for each in done for seconds in each.answered]:
        text += (
            f", and {statistics.median(answers):.2f} s ({min(answers):.2f} to {max(answers):.2f}) "
            f"for each of {len(answers) / len(done):.1f} clicks"
        )
    return f"| {name} | {presses:.1f} | {model:.1f} s | {text} |"


def timed(
    page: Page, actions: Sequence[Action], rounds: int, truths: Mapping[int, Mask]
) -> list[list[Done]]:
    """Each action as often as there are rounds; they take turns."""
    found: dict[str, list[Done]] = {action.name: [] for action in actions}
    while due := [each for each in actions if len(found[each.name]) < rounds]:
        page.wait_for_timeout(1_000)  # somebody looks
        task = int(page.evaluate(TASK))
        able = [each for each in due if task in truths or "clicks" not in each.keys] or actions[:1]
        # What was done least often; fixes by clicks before others, since few tasks are for them.
        action = min(able, key=lambda each: ("clicks" not in each.keys, len(found[each.name])))
        found[action.name].append(once(page, action, task, truths))
    return list(found.values())


def once(page: Page, action: Action, task: int, truths: Mapping[int, Mask]) -> Done:
    """Do it to the task that is open."""
    page.evaluate(HOLD_BRUSH)
    keys: list[str] = []
    answered: list[float] = []
    for key in action.keys[:-1]:
        if key == "clicks":
            answered = clicks(page, truths[task], keys)
            continue
        keys.append(key)
        if key == "stroke":
            stroke(page)
        else:
            page.keyboard.press(key)
    page.wait_for_timeout(300)
    started = time.perf_counter()
    page.keyboard.press(action.keys[-1])
    page.wait_for_function(READY, arg=task)
    return Done((*keys, action.keys[-1]), time.perf_counter() - started, tuple(answered))


def clicks(page: Page, truth: Mask, keys: list[str]) -> list[float]:
    """Click where the mask is most wrong until it is good enough.

    Args:
        page: shows a task.
        truth: its hand mask, (H, W) bool.
        keys: what is pressed is added.

    Returns:
        Seconds that each answer took.
    """
    taken: list[float] = []
    mode = None
    while len(taken) < MOST:
        mask = is_person(decode_mask(page.evaluate(SHOWN)["value"]["rle"], *truth.shape))
        place = next_click(mask, truth)
        if place is None or (mask & truth).sum() >= GOAL * (mask | truth).sum():
            break
        wanted = "s" if place.positive else "x"
        if wanted != mode:
            page.keyboard.press(wanted)
            keys.append(wanted)
            mode = wanted
        box = page.locator(PHOTO).bounding_box()
        assert box is not None
        x, y = box["x"] + place.x * box["width"], box["y"] + place.y * box["height"]
        page.mouse.move(x, y)
        page.wait_for_timeout(1_000)  # somebody points
        started = time.perf_counter()
        with page.expect_response(lambda each: "/interactive-annotating" in each.url):
            page.mouse.click(x, y)
        page.wait_for_function(ANSWERED)
        taken.append(time.perf_counter() - started)
        keys.append("click")
    return taken


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
def browser_of(server: LocalServer) -> Iterator[Callable[[], Page]]:
    """Opens pages that the server's first user is logged in with, each of which remembers nothing.

    In a session of the browser that had shown our screen, Label Studio's own never came to the next
    task.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def opened() -> Page:
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.set_default_timeout(120_000)
            page.goto(f"{server.url}/user/login/")
            page.fill("input[name=email]", server.login.email)
            page.fill("input[name=password]", server.login.password)
            page.keyboard.press("Enter")
            page.wait_for_url(lambda url: "login" not in url)
            return page

        yield opened
        browser.close()
