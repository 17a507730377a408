"""`values_01`: 8-bit masks that hold 0 and 1, which look black; and sets that are all one thing."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from typer.testing import CliRunner

from sinet.errors import DataError

Dataengine = Callable[..., str]
Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def data(cases: Path, tmp_path: Path) -> Path:
    """A copy of the situation, to be changed."""
    return Path(shutil.copytree(cases / "values_01", tmp_path / "data"))


def redraw(folder: Path, change: Callable[[Pixels], Pixels]) -> None:
    """Write all masks anew; `change` is given 0 and 1."""
    for file in (folder / "masks").iterdir():
        with Image.open(file) as image:
            mask = np.asarray(image)
        file.unlink()
        Image.fromarray(change(mask)).save(file)


def scores(dataengine: Dataengine, folder: Path, *options: str) -> dict[str, Any]:
    answer = dataengine("evaluate", "sinet:bundled", "--data", folder, *options, "--json")
    return dict(json.loads(answer))


def test_0_and_1_are_scored_as_0_and_255(dataengine: Dataengine, data: Path) -> None:
    found = scores(dataengine, data)
    assert found["masks_read"] == {"0 and 1": 3}
    assert found["mean"]["iou"] > 0.9
    redraw(data, lambda mask: mask * np.uint8(255))
    again = scores(dataengine, data)
    assert again["masks_read"] == {"black and white": 3}
    assert again["mean"] == found["mean"]


def test_the_person_is_learnt_not_the_background(dataengine: Dataengine, data: Path) -> None:
    out = dataengine(
        "train", "--data", data, "--out", data / "run", "--init", "sinet:bundled",
        "--epochs", "0", "--stage-epochs", "1", "--held-out", "0", "--json",
    )  # fmt: skip
    assert json.loads(out)["epochs"] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda mask: mask * 0, r"all 3 masks are empty.*read as all black"),
        (lambda mask: mask * 0 + 255, r"all 3 masks are full.*read as all white"),
    ],
)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_set_of_nothing_or_of_everything_stops_at_once(
    data: Path, command: str, change: Callable[[Pixels], Pixels], told: str
) -> None:
    redraw(data, change)
    message = refused(command, data)
    assert "\n" not in message
    assert re.search(told, message)
    assert not (data / "run").exists()


def refused(command: str, data: Path, *options: str) -> str:
    """The line that a command ends with."""
    from dataengine.cli import app

    arguments = {
        "train": ["train", "--data", str(data), "--out", str(data / "run")],
        "evaluate": ["evaluate", "sinet:bundled", "--data", str(data)],
    }[command]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert isinstance(result.exception, DataError), result.output
    return str(result.exception)


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("change", "told", "options"),
    [
        (lambda mask: mask * 15, "15.*--mask-class N", ["--mask-class", "15"]),
        (lambda mask: mask + 1, "1 .*2 .*--mask-class N", ["--mask-class", "2"]),
        (lambda mask: 255 * (1 - mask), "looks inverted.*--mask-invert", ["--mask-invert"]),
    ],
    ids=["class 15", "1 and 2", "inverted"],
)
def test_what_is_unclear_is_refused_until_it_is_said(
    dataengine: Dataengine,
    data: Path,
    command: str,
    change: Callable[[Pixels], Pixels],
    told: str,
    options: list[str],
) -> None:
    redraw(data, lambda mask: change(mask).astype(np.uint8))
    message = refused(command, data)
    assert re.search(told, message), message
    assert "/masks/" in message
    if command == "evaluate":
        assert scores(dataengine, data, *options)["mean"]["iou"] > 0.9


def test_alpha_is_taken_where_it_is_said(dataengine: Dataengine, data: Path) -> None:
    """Colours that are masks of something else stay out of it."""
    redraw(data, lambda mask: np.stack([255 - mask * 0, mask[::-1] * 255, mask * 255], -1)[..., 1:])
    assert "different masks" in refused("evaluate", data)
    assert scores(dataengine, data, "--mask-channel", "alpha")["mean"]["iou"] > 0.9


def test_a_wrong_class_leaves_nothing_and_is_told(data: Path) -> None:
    assert "level 7" in refused("evaluate", data, "--mask-class", "7")


def test_a_part_of_a_set_may_be_empty(dataengine: Dataengine, data: Path) -> None:
    """A picture without anybody is a sample like any other."""
    first = data / "masks/00007.png"
    with Image.open(first) as image:
        Image.fromarray(np.asarray(image) * np.uint8(0)).save(first)
    assert scores(dataengine, data, "--limit", "1")["masks_read"] == {"all black": 1}
    assert scores(dataengine, data)["masks_read"] == {"0 and 1": 2, "all black": 1}
