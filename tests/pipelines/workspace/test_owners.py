"""Who is dead and who is not, asked about real processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.workspace.owners import OwnerLock, abandoned_locks, dead_owners, remove_lock

HOLDER = """
import sys
from pathlib import Path
from pipelines.workspace.owners import OwnerLock

lock = OwnerLock(Path(sys.argv[1]))
print(lock.name, flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that holds a lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
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


def test_a_process_is_alive_until_it_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, name):
        assert f"-{process.pid}-" in name
        assert dead_owners(tmp_path, [name]) == []
        assert abandoned_locks(tmp_path) == []
        remove_lock(tmp_path, name)
        assert dead_owners(tmp_path, [name]) == [], "the lock of the living must stay"

        process.send_signal(signal.SIGKILL)
        process.wait()
        assert dead_owners(tmp_path, [name]) == [name]
        assert abandoned_locks(tmp_path) == [name]
        remove_lock(tmp_path, name)
        assert list(tmp_path.iterdir()) == []
        assert dead_owners(tmp_path, [name]) == [name], "its jobs may still have to be given back"


def test_a_stopped_process_is_alive(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, name):
        process.send_signal(signal.SIGSTOP)
        assert dead_owners(tmp_path, [name]) == []


def test_the_asking_process_is_alive_itself(tmp_path: Path) -> None:
    lock = OwnerLock(tmp_path / "locks")
    assert dead_owners(tmp_path / "locks", [lock.name]) == []
    assert abandoned_locks(tmp_path / "locks") == []
    lock.release()
    assert list((tmp_path / "locks").iterdir()) == []


def test_two_locks_of_one_process_differ(tmp_path: Path) -> None:
    first, second = OwnerLock(tmp_path), OwnerLock(tmp_path)
    assert first.name != second.name
    first.release()
    assert dead_owners(tmp_path, [first.name, second.name]) == [first.name]


def test_owners_on_other_machines_are_never_called_dead(tmp_path: Path) -> None:
    here = socket.gethostname()
    elsewhere = [f"elsewhere-{os.getpid()}-0a0b0c0d", f"{here}-b-1-0a0b0c0d", "without digits"]
    assert dead_owners(tmp_path, elsewhere) == []
