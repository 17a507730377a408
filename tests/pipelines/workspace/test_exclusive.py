"""One process at a time, on this machine and on others; whoever holds a lock is named."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import OwnerRow
from pipelines.workspace import owners
from pipelines.workspace.errors import BusyError
from pipelines.workspace.exclusive import exclusive
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace, make_workspace

HOLDER = """
import sys
from pathlib import Path
from pipelines.workspace import owners
from pipelines.workspace.exclusive import exclusive
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace

owners.BEAT_SECONDS = 0.05
root, place = Path(sys.argv[1]), sys.argv[2]
if place:
    owners._place = lambda _: place
workspace = Workspace(root, Settings())
with exclusive(workspace, "release", "a release is being written"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(owners, "BEAT_SECONDS", 0.05)
    make_workspace(tmp_path / "ws", "")
    opened = Workspace(tmp_path / "ws", Settings())
    yield opened
    opened.close()


@contextmanager
def holder(workspace: Workspace, place: str = "") -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(workspace.paths.root), place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def held(workspace: Workspace) -> bool:
    try:
        with exclusive(workspace, "release", "a release is being written"):
            return False
    except BusyError:
        return True


@pytest.mark.parametrize("place", ["", "another machine"])
def test_the_holder_is_named_and_its_death_frees_the_lock(workspace: Workspace, place: str) -> None:
    with holder(workspace, place) as process:
        with (
            pytest.raises(BusyError) as caught,
            exclusive(workspace, "release", "a release is being written"),
        ):
            raise AssertionError("held by two")
        message = str(caught.value)
        assert "a release is being written: `-c " in message
        assert f"process {process.pid} on " in message
        assert "UTC; wait for its end" in message
        with exclusive(workspace, "review-push", "a push is at work"):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        # Of another machine's it is known once its heart was silent for long enough.
        deadline = time.monotonic() + 30
        while held(workspace):
            assert place
            assert time.monotonic() < deadline
        with workspace.engine.begin() as connection:
            assert list(connection.scalars(sa.select(OwnerRow.name))) == [workspace.owner]


def test_a_lock_is_free_again_however_its_block_ended(workspace: Workspace) -> None:
    with exclusive(workspace, "release", "a release is being written"):
        assert held(workspace), "also by this very process"
    with pytest.raises(KeyError), exclusive(workspace, "release", "a release is being written"):
        raise KeyError
    assert not held(workspace)
