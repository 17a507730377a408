"""Command lines that are killed at moments spread over what they do, and run again until done.

A world is a folder with a workspace `ws` and whatever else a command reads and writes; commands run
in it. One copy of it is left undisturbed; in the others the command is killed, run again, killed
again, and in the end run to its end. Then every copy has to be equal to the undisturbed one.

Moments are counted in what a command changes in the world (`tests/killing/sitecustomize.py`), not
in seconds, most of which are the start of Python. Every other kill comes from outside, some time
after its moment, so that it also hits within a change.
"""

import atexit
import functools
import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from db import open_engine, schema
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from pipelines.workspace.opening import open_workspace
from tests.conftest import FAKES
from tests.killing.sitecustomize import RECORD
from tests.snapshots import broken_blobs, leftovers, snapshot

_HOOK = Path(__file__).parent / "killing"
_CHECKOUT = Path(__file__).parents[1]
# Compared in other ways; or, of trainings, what holds times and process ids.
_UNCOMPARED = {"locks", "store", "log.csv", "resume.pt", "tensorboard"}
_LONGEST_DELAY_SECONDS = 0.05


class Whom(StrEnum):
    """Who is killed."""

    GROUP = "group"  # the command and its workers, as when the machine goes down
    PARENT = "parent"  # the command alone
    WORKER = "worker"  # one of its workers: the command goes on


@dataclass(frozen=True, kw_only=True)
class Kill:
    """When and how to kill.

    Attributes:
        at: number of the change before which it happens; 1 is the first.
        whom: who.
        delay: seconds after that moment, from outside; None: at the moment, by the process itself.
    """

    at: int
    whom: Whom = Whom.GROUP
    delay: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a command."""

    code: int
    changes: int
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


def nothing(_: Path) -> AbstractContextManager[Mapping[str, str]]:
    """Goes on beside a command."""
    return nullcontext({})


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command line, `dataengine -w ws` in front, run in a world's folder.

    Attributes:
        arguments: of every run.
        environment: besides this process's.
        beside: what goes on beside the runs in a world, such as a server; gives more environment.
            What it leaves in the world when it ends is compared, too.
        is_done: what a further run says, and fails, once everything is there.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: FAKES)
    beside: Callable[[Path], AbstractContextManager[Mapping[str, str]]] = nothing
    is_done: str | None = None

    @contextmanager
    def runs_in(self, world: Path) -> Iterator[Callable[[Kill], Ended]]:
        """Run it in a world, as often as wanted, each time with a kill."""
        with self.beside(world) as more:
            yield functools.partial(run, self.arguments, world, {**self.environment, **more})


@dataclass
class Tally:
    """Where kills hit: before the first change, between two, or not at all since all was done."""

    changes: int
    hits: Counter[str] = field(default_factory=Counter)
    whom: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        hits = ", ".join(f"{self.hits[name]} {name}" for name in ("before", "during", "after"))
        whom = ", ".join(f"{number} {name}" for name, number in sorted(self.whom.items()))
        return f"{self.hits.total()} kills ({hits}; {whom}) over {self.changes} changes"


NEVER = Kill(at=0)


def run(arguments: Sequence[str], world: Path, environment: Mapping[str, str], kill: Kill) -> Ended:
    """Run a command line in a world, and kill it."""
    with tempfile.TemporaryDirectory() as folder:
        journal, out, err = (Path(folder, name) for name in ("journal", "out", "err"))
        for file in (journal, out, err):
            file.touch()
        process = _zygote().start(
            arguments=["-w", "ws", *arguments],
            folder=str(world),
            out=str(out),
            err=str(err),
            environment={
                **environment,
                "KILLS_JOURNAL": str(journal),
                "KILLS_ROOT": str(world),
                "KILLS_AT": str(kill.at if kill.delay is None else 0),
                "KILLS_WHOM": kill.whom,
            },
        )
        try:
            if kill.at and kill.delay is not None:
                _kill_from_outside(process, journal, kill)
            code = process.wait(600)
        finally:
            process.kill_group()
        return Ended(
            code=code,
            changes=journal.stat().st_size // RECORD.size,
            out=out.read_text(errors="replace"),
            err=err.read_text(errors="replace"),
        )


def has_tables(workspace: Path) -> bool:
    """Whether its tables are there, and are today's."""
    if not (workspace / "dataengine.db").exists():
        return False
    engine = open_engine(f"sqlite:///{workspace}/dataengine.db")
    try:
        return schema.check(engine)
    finally:
        engine.dispose()


def copied(template: Path, world: Path) -> Path:
    return Path(shutil.copytree(template, world, symlinks=True))


def state(world: Path) -> dict[str, Any]:
    """All there is in a world, so that two of them can be compared.

    The rows of every database, the files besides the stores, what runs have left, and what
    `verify` says.
    """
    found: dict[str, Any] = {}
    for database in sorted(world.rglob("dataengine.db")):
        where = database.parent
        rows = snapshot(where, within=world)
        found |= {f"{where.relative_to(world)}: {key}": row for key, row in rows.items()}
        if where == world / "ws":
            found |= {f"{where.name} leaves {each}": True for each in leftovers(where)}
    for path in sorted(each for each in world.rglob("*") if each.is_file()):
        inner = path.relative_to(world)
        if not path.name.startswith("dataengine.") and not _UNCOMPARED & set(inner.parts):
            found[f"file {inner}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    workspace = open_workspace(world / "ws", read_only=True)
    try:
        problems = verify_workspace(workspace, VerifyRequest()).problems
    finally:
        workspace.close()
    return found | {f"verify says {each}".replace(str(world), "…"): True for each in problems}


def state_differences(one: Path, another: Path, only: Sequence[str] = ("",)) -> list[str]:
    """What is not the same in two worlds; empty for equal ones.

    Args:
        one: a world.
        another: another.
        only: of what `state` tells, those with one of these words.
    """
    expected, found = (
        {key: value for key, value in state(world).items() if any(word in key for word in only)}
        for world in (one, another)
    )
    return [
        f"{key}: {expected.get(key, 'nothing')!r} became {found.get(key, 'nothing')!r}"
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key) != found.get(key)
    ]


def campaign(
    template: Path,
    command: Command,
    folder: Path,
    *,
    kills: int,
    a_copy: int = 1,
    whom: Sequence[Whom] = (Whom.GROUP,),
    seed: int = 0,
    compare: Callable[[Path, Path], list[str]] = state_differences,
) -> Tally:
    """Kill a command in copies of a world, and tell what is different in the end.

    Args:
        template: the world; copied, never changed.
        command: what is killed.
        folder: for the copies; each is removed when it was found equal.
        kills: how many.
        a_copy: how many of them in each copy, one after another.
        whom: who is killed, in turn.
        seed: of the moments.
        compare: tells what is different between the undisturbed world and another.
    """
    chance = random.Random(seed)
    undisturbed = copied(template, folder / "undisturbed")
    with command.runs_in(undisturbed) as run_once:
        ended = run_once(NEVER)
    assert ended.code == 0, ended.err
    tally = Tally(ended.changes)
    moments = [1 + int((each + chance.random()) * ended.changes / kills) for each in range(kills)]
    chance.shuffle(moments)
    number = 0
    while number < kills:
        world = copied(template, folder / f"killed-{number}")
        made, told = 0, []
        with command.runs_in(world) as run_once:
            for _ in range(min(a_copy, kills - number)):
                # What the runs before have done is not done again.
                at = 1 + int(moments[number] * max(1, ended.changes - made) / ended.changes)
                delay = chance.uniform(0, _LONGEST_DELAY_SECONDS) if number % 2 else None
                kill = Kill(at=at, whom=whom[number % len(whom)], delay=delay)
                hit = run_once(kill)
                told.append(f"{kill}: {hit.changes} changes, exit code {hit.code}")
                made += hit.changes
                number += 1
                _count(tally, hit, kill)
                if has_tables(world / "ws"):
                    assert broken_blobs(world / "ws") == [], told
                if hit.code == 0:  # it came too late, or a worker's death was made good
                    break
            if hit.code:
                last = run_once(NEVER)
                if last.code and (command.is_done is None or command.is_done not in last.err):
                    tally.differences.append(f"after {told}: exit code {last.code}: {last.err}")
        found = compare(undisturbed, world)
        if found:
            told += [each[:500] for each in found[:10]]
            tally.differences.append("\n  ".join([f"{world}: {len(found)} differences", *told]))
        else:
            shutil.rmtree(world)
    print(f"\n{' '.join(command.arguments)}: {tally}")
    return tally


def _count(tally: Tally, hit: Ended, kill: Kill) -> None:
    if kill.whom is not Whom.WORKER:
        missed = not hit.was_killed
    else:
        missed = hit.changes < kill.at
        assert hit.code == 0, hit.err
    where = "after" if missed else "during" if hit.changes else "before"
    tally.hits[where] += 1
    tally.whom[kill.whom] += 1


def _kill_from_outside(process: "_Process", journal: Path, kill: Kill) -> None:
    """Wait for the moment, if it comes, and then for the delay."""
    while journal.stat().st_size < kill.at * RECORD.size:
        if process.has_ended(0.001):
            return
    time.sleep(kill.delay or 0)
    match kill.whom:
        case Whom.GROUP:
            process.kill_group()
        case Whom.PARENT:
            _kill(process.pid)
        case Whom.WORKER:
            data = journal.read_bytes()
            noted = RECORD.iter_unpack(data[: len(data) // RECORD.size * RECORD.size])
            workers = [pid for (pid,) in noted if pid != process.pid]
            if workers:
                _kill(workers[-1])


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class _Zygote:
    """Starts commands without importing everything again: see `tests/killing/zygote.py`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_HOOK / "zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{_HOOK}{os.pathsep}{_CHECKOUT}"},
        )
        atexit.register(self._process.kill)

    def start(self, **order: Any) -> "_Process":
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return _Process(int(self._process.stdout.readline()), self._process.stdout)


class _Process:
    """A command that was started; its end is the next line that the zygote says."""

    def __init__(self, pid: int, said: TextIO) -> None:
        self.pid = pid
        self._said = said

    def has_ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return bool(select.select([self._said], [], [], seconds)[0])

    def wait(self, seconds: float) -> int:
        """Its exit code; minus the number of a signal."""
        assert self.has_ended(seconds), "it does not end"
        return int(self._said.readline())

    def kill_group(self) -> None:
        """It and all that it started; harmless once all are gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


@functools.cache
def _zygote() -> _Zygote:
    return _Zygote()
