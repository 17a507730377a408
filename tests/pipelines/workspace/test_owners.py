"""Who is dead and who is not, asked about real processes."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from db import open_engine, schema
from db import owners as rows
from pipelines.workspace import owners
from pipelines.workspace.owners import Presence

HOLDER = """
import sys
from pathlib import Path
from db import open_engine
from pipelines.workspace import owners

owners.BEAT_SECONDS = 0.05
presence = owners.Presence(open_engine(sys.argv[1]), Path(sys.argv[2]))
print(presence.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/dataengine.db")
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def own(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Presence]:
    monkeypatch.setattr(owners, "BEAT_SECONDS", 0.05)
    presence = Presence(engine, tmp_path / "locks")
    yield presence
    presence.release()


@contextmanager
def holder(engine: Engine, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that is present until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(engine.url), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def dead(own: Presence, engine: Engine, *names: str) -> list[str]:
    with engine.connect() as connection:
        return own.dead(names, rows.present(connection))


def test_a_process_is_alive_until_it_is_killed(
    own: Presence, engine: Engine, tmp_path: Path
) -> None:
    with holder(engine, tmp_path / "locks") as (process, name):
        assert f"-{process.pid}-" in name
        assert dead(own, engine, name) == []
        own.remove_lock(name)
        assert dead(own, engine, name) == [], "the lock of the living must stay"

        process.send_signal(signal.SIGKILL)
        process.wait()
        assert dead(own, engine, name) == [name], "at once: the kernel has freed its lock"
        assert own.abandoned() == {own.name, name}
        own.remove_lock(name)
        assert own.abandoned() == {own.name}
        assert dead(own, engine, name) == [name], "its jobs may still have to be given back"


def test_a_stopped_process_is_alive(own: Presence, engine: Engine, tmp_path: Path) -> None:
    with holder(engine, tmp_path / "locks") as (process, name):
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05 * 2 * owners.SILENT_BEATS)
        assert dead(own, engine, name) == []


def test_a_stopped_process_is_silent_and_may_lose_what_it_leased(
    own: Presence, engine: Engine, tmp_path: Path
) -> None:
    def silent(name: str) -> bool:
        with engine.connect() as connection:
            return own.silent([name], rows.present(connection)) == [name]

    with holder(engine, tmp_path / "locks") as (process, name):
        assert not silent(name)
        own.wait_until_known([name])
        time.sleep(0.05 * 2 * owners.SILENT_BEATS)
        assert not silent(name), "it beats"
        process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 30
        while not silent(name):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGCONT)
        while silent(name):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_asking_process_is_alive_itself(own: Presence, engine: Engine, tmp_path: Path) -> None:
    assert dead(own, engine, own.name) == []
    other = Presence(engine, tmp_path / "locks")
    assert other.name != own.name
    other.release()
    assert dead(own, engine, own.name, other.name) == [other.name]
    assert own.abandoned() == {own.name}


def test_a_process_of_another_machine_dies_by_its_heart(
    own: Presence, engine: Engine, tmp_path: Path
) -> None:
    """Its lock file is in a folder that cannot be tried from here."""
    with holder(engine, tmp_path / "elsewhere") as (process, name):
        assert dead(own, engine, name) == [], "nothing was heard of it yet"
        own.wait_until_known([name])
        assert dead(own, engine, name) == [], "it beats"

        process.send_signal(signal.SIGKILL)
        process.wait()
        assert dead(own, engine, name) == [], "nobody can tell yet"
        deadline = time.monotonic() + 30
        while not dead(own, engine, name):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_dead_process_of_another_machine_is_found_out_by_listening(
    own: Presence, engine: Engine, tmp_path: Path
) -> None:
    with holder(engine, tmp_path / "elsewhere") as (process, name):
        process.send_signal(signal.SIGKILL)
        process.wait()
    own.wait_until_known([name])
    assert dead(own, engine, name) == [name]


def test_who_was_taken_for_dead_and_lives_comes_back(
    own: Presence, engine: Engine, tmp_path: Path
) -> None:
    with holder(engine, tmp_path / "elsewhere") as (_, name):
        with engine.begin() as connection:
            rows.leave(connection, name)
        deadline = time.monotonic() + 30
        while dead(own, engine, name):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_presence_that_is_dropped_stops_beating(engine: Engine, tmp_path: Path) -> None:
    presence = Presence(engine, tmp_path / "locks")
    name, heart = presence.name, presence._heart
    presence._stop.set()
    heart.join(timeout=10)
    assert not heart.is_alive()
    del presence
    again = Presence(engine, tmp_path / "locks")
    assert dead(again, engine, name) == [name]
    again.release()
