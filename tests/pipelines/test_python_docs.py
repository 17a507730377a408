"""docs/python.md runs: the engine turns once, by its public names alone."""

import ast
import json
import re
from collections.abc import Sequence
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
from pipelines.portraits.listing import portrait_lines
from tests.conftest import CHECKOUT, FAST_INGEST
from tests.dataengine.training_data import SMALL

PAGE = (CHECKOUT / "docs/python.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHARE_BAD = 3
"""Every third photo gets a mask that people reject, and the network is less sure of it."""

sure = FakeTeacher.person_probability


def photos(folder: Path, numbers: range) -> None:
    folder.mkdir()
    for number in numbers:
        noise = np.random.default_rng(number).integers(0, 256, (200, 150, 3), dtype=np.uint8)
        # The red of a flat photo would survive no JPEG; that of a whole half does.
        noise[..., 0] = 200 if number % SHARE_BAD == 0 else 40
        Image.fromarray(noise).save(folder / f"{number:03}.png")


def is_doubtful(rgb: npt.NDArray[np.uint8]) -> bool:
    return float(rgb[..., 0].mean()) > 120


def less_sure(
    teacher: FakeTeacher, batch: Sequence[npt.NDArray[np.uint8]]
) -> list[npt.NDArray[np.float32]]:
    answers = []
    for rgb, person in zip(batch, sure(teacher, batch), strict=True):
        chance = np.random.default_rng(int(rgb[..., 1].sum()))
        doubt = chance.uniform(0.25, 0.45) if is_doubtful(rgb) else chance.uniform(0, 0.2)
        answers.append(np.where(person > 0.5, 1 - doubt, doubt / 4).astype(np.float32))
    return answers


def answer_all(workspace: pipelines.Workspace, server: FakeGateway) -> None:
    """Reject what is bad, accept the rest."""
    with workspace.engine.connect() as connection:
        lines = list(portrait_lines(connection, workspace.store))
    bad = {
        Path(line.portrait_path).stem
        for line in lines
        if is_doubtful(np.asarray(Image.open(line.portrait_path).convert("RGB")))
    }
    for task in list(server.tasks.values()):
        if not task.annotations:
            is_bad = any(digest in task.image_url for digest in bad)
            server.answer(task.id, "reject" if is_bad else "accept")


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeGateway()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connecting, "connect", lambda _workspace: server)
    monkeypatch.setattr(FakeTeacher, "person_probability", less_sure)
    for name, value in {**FAST_INGEST, "DATAENGINE_REVIEW__SETTLE_SECONDS": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATAENGINE_RELEASE__TEST_SHARE", "0.1")
    photos(tmp_path / "raw", range(90))
    photos(tmp_path / "more", range(100, 200))
    small = {**SMALL, "encoder_epochs": 0}
    lines = [f"{key} = {json.dumps(value)}" for key, value in small.items() if key != "input"]
    (tmp_path / "quick.toml").write_text(
        "\n".join([*lines, "[input]", "height = 32", "width = 32"])
    )
    names: dict[str, Any] = {}
    for block in CODE:
        if "pull_answers" in block:
            answer_all(names["workspace"], server)
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["ingested"].tally.portraits == 90
    assert names["answers"].decisions["reject"] > 10
    assert names["fitted"].score.kind != "default"
    assert str(names["judged"].attempt.state) == "certified"
    assert names["judged"].accepted > 10
    assert len(names["exported"].entries) > 40
    assert names["trained"].line.is_current
    assert names["relabelled"].relabelled
    assert len(list((tmp_path / "masks").glob("*.png"))) == 90
    assert names["report"].ok


def test_it_uses_public_names_only() -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse("\n".join(CODE)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "pipelines"
    }
    assert used
    assert used <= set(pipelines.__all__)
