"""The engine turned once by the code of docs/python.md, with the fakes: photos to a student."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import pipelines
from pipelines.label_studio import connecting
from pipelines.label_studio.fake import FakeGateway
from pipelines.networks.fake import FakeTeacher
from tests.conftest import CHECKOUT, FAST_INGEST
from tests.dataengine.training_data import SMALL

CODE = re.findall(
    r"```python\n(.*?)```", (CHECKOUT / "docs/python.md").read_text(encoding="utf-8"), re.DOTALL
)
SETTINGS = {
    **FAST_INGEST,
    "DATAENGINE_REVIEW__SETTLE_SECONDS": "2",
    "DATAENGINE_RELEASE__TEST_SHARE": "0.1",
}
ONE_IN = 3
"""Every third photo gets a mask that people reject, and the network is less sure of it."""

_sure = FakeTeacher.person_probability


@dataclass(frozen=True)
class Turned:
    """What is left of it.

    Attributes:
        folder: with the workspace `portraits`, the photos `raw` and `more`, the data set `release`.
        names: of the page's code, with what they stand for in the end.
        server: that people answered on.
    """

    folder: Path
    names: dict[str, Any]
    server: FakeGateway


def turn(folder: Path) -> Turned:
    """Run everything on the page.

    Args:
        folder: empty.
    """
    server = FakeGateway()
    photos(folder / "raw", range(90))
    photos(folder / "more", range(100, 170))
    # Two threads on two busy cores spend most of their time waiting for each other.
    simple = {**SMALL, "threads": 1}
    lines = [f"{key} = {json.dumps(value)}" for key, value in simple.items() if key != "input"]
    (folder / "quick.toml").write_text("\n".join([*lines, "input = {height = 32, width = 32}"]))
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        surroundings(patch, folder, server)
        for block in CODE:
            if "pull_answers" in block:
                answer_all(names["workspace"], server)
            exec(compile(block, "docs/python.md", "exec"), names)
    return Turned(folder, names, server)


def surroundings(patch: pytest.MonkeyPatch, folder: Path, server: FakeGateway) -> None:
    """Where the page's code and commands after it run."""
    patch.chdir(folder)
    patch.setattr(connecting, "connect", lambda _workspace: server)
    patch.setattr(FakeTeacher, "person_probability", _less_sure)
    for name, value in SETTINGS.items():
        patch.setenv(name, value)


def photos(folder: Path, numbers: range) -> None:
    """Noise, in which the fakes see somebody."""
    folder.mkdir()
    for number in numbers:
        noise = np.random.default_rng(number).integers(0, 256, (200, 150, 3), dtype=np.uint8)
        noise[..., 0] = 200 if number % ONE_IN == 0 else 40
        Image.fromarray(noise).save(folder / f"{number:03}.png")


def answer_all(workspace: pipelines.Workspace, server: FakeGateway) -> None:
    """Reject what is bad, accept the rest."""
    bad = {
        Path(line.portrait_path).stem
        for line in pipelines.list_portraits(workspace)
        if _is_doubtful(np.asarray(Image.open(line.portrait_path).convert("RGB")))
    }
    for task in list(server.tasks.values()):
        if not task.annotations:
            is_bad = any(digest in task.image_url for digest in bad)
            server.answer(task.id, "reject" if is_bad else "accept")


def _is_doubtful(rgb: npt.NDArray[np.uint8]) -> bool:
    return float(rgb[..., 0].mean()) > 120


def _less_sure(
    teacher: FakeTeacher, batch: Sequence[npt.NDArray[np.uint8]]
) -> list[npt.NDArray[np.float32]]:
    answers = []
    for rgb, person in zip(batch, _sure(teacher, batch), strict=True):
        chance = np.random.default_rng(int(rgb[..., 1].sum()))
        doubt = chance.uniform(0.25, 0.45) if _is_doubtful(rgb) else chance.uniform(0, 0.2)
        answers.append(np.where(person > 0.5, 1 - doubt, doubt / 4).astype(np.float32))
    return answers
