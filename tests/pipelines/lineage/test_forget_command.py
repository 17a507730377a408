"""`dataengine forget`: what it says, what it asks, and what the next ingest does."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from db import Image, JobRow, Source
from pipelines.label_studio import connecting
from pipelines.label_studio.fake import FakeGateway
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from pipelines.workspace.workspace import Workspace
from tests.dataengine.conftest import Run as Command
from tests.dataengine.conftest import run as run
from tests.pipelines.ingest.conftest import Ingest
from tests.pipelines.ingest.conftest import ingest_here as ingest_here
from tests.pipelines.lineage.conftest import digest, open_workspace
from tests.pipelines.lineage.test_forgetting import PHOTO, rows
from tests.pipelines.lineage.test_forgetting import gateway as gateway
from tests.pipelines.lineage.test_forgetting import raw as raw
from tests.pipelines.review.conftest import push_all


@pytest.fixture
def closed(workspace: Workspace) -> Path:
    """The workspace's folder, opened by nobody."""
    workspace.close()
    return workspace.paths.root


def test_the_command(
    workspace: Workspace, released: Path, closed: Path, raw: Path, run: Command, ingest_here: Ingest
) -> None:
    answer = run("-w", closed, "forget", raw)
    assert (answer.code, answer.err) == (
        1, "error: forget cannot ask here whether it should; say so with --yes\n",
    )  # fmt: skip
    assert "1 portrait, 1 mask, 0 decisions, 0 tasks in Label Studio\n" in answer.out
    answer = run("-w", closed, "forget", raw, "--yes")
    assert (answer.code, answer.err) == (0, "")
    item = f"{digest(raw)[:12]}-0"
    assert answer.out.splitlines()[-3:] == [
        "Your raw files stay where they are.",
        f"Stays in the release round-1 (releases/round-1): {item}; trained on it: runs/round-1",
        "Forgot 1 photo, removed 2 blobs",
    ]
    again = run("-w", closed, "forget", raw, "--yes", "--json")
    assert again.code == 0
    found = json.loads(again.out)
    assert (found["forgotten_before"], found["forgotten"], found["photos"]) == ([str(raw)], 0, [])
    assert "was forgotten on 20" in again.err
    for gone in (
        raw,
        f"{raw}:5,5",
        released / f"masks/{item}.png",
        released / f"images/{item}.jpg",
    ):
        answer = run("-w", closed, "explain", gone)
        assert (answer.code, answer.err) == (0, "")
        assert "its photo was forgotten on 20" in answer.out
        assert f"round-1  {item} in " in answer.out

    # The same bytes, under any name, are refused, and the funnel adds up.
    result = ingest_here(closed, raw.parent)
    assert result["status"]["failures"]["forgotten"] == 2
    status = json.loads(run("-w", closed, "status", "--json").out)
    assert status["failures"]["forgotten"] == 2
    images = status["photos"]
    assert images["seen"] == images["unique"] + images["duplicates"] + images["unread"]
    opened = open_workspace(closed)
    with opened.engine.begin() as connection:
        sha256s = set(connection.scalars(sa.select(Image.sha256)))
        errors = set(
            connection.scalars(sa.select(JobRow.error).where(JobRow.reason == "forgotten"))
        )
        unread = sa.select(Source.uri).where(Source.image_id.is_(None))
        assert {Path(uri).name for uri in connection.scalars(unread)} >= {PHOTO, "a_copy.jpg"}
    assert digest(raw) not in sha256s
    (error,) = errors
    assert error.startswith("this photo was forgotten on 20")
    assert verify_workspace(opened, VerifyRequest()).ok
    opened.close()
    again = ingest_here(closed, "--retry-failed")
    assert again["run"]["failures"]["forgotten"] == 2, "and stays refused"


def test_the_command_deletes_tasks(
    workspace: Workspace, raw: Path, gateway: FakeGateway, run: Command, monkeypatch: Any
) -> None:
    push_all(workspace, gateway)
    workspace.close()
    root = workspace.paths.root
    answer = run("-w", root, "forget", raw, "--yes", "--json")
    assert "warning: 1 task on http://fake may still be there (which Label Studio?" in answer.err
    assert json.loads(answer.out)["tasks_waiting"] == {"http://fake": 1}
    monkeypatch.setattr(connecting, "connect", lambda _: gateway)
    answer = run("-w", root, "forget", raw, "--yes")
    assert answer.out.endswith("Deleted 1 task on http://fake\n")
    assert len(gateway.tasks) == 2


def test_people_are_asked(
    workspace: Workspace, closed: Path, raw: Path, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert run("-w", closed, "forget", raw).code == 1
    opened = open_workspace(closed)
    assert rows(opened)["forgotten"] == 0
    opened.close()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    answer = run("-w", closed, "forget", raw)
    assert answer.code == 0
    assert "Forget this photo? It cannot be undone." in answer.err
    assert "Forgot 1 photo" in answer.out
