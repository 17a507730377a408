"""What happens to clusters, done to the one of the session while a command works on it.

The command runs in a process of its own and is run again whenever it ended in trouble, until it is
done; then its workspace is compared with that of an undisturbed run.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dataengine.console.shared.signals import INTERRUPTED
from db import JobRow, JobState, open_engine, owners, reader
from tests.object_storage import Fault
from tests.postgres import server as postgres
from tests.ray_cluster import Machines

_DRIVER = (
    "from tests.ray_cluster import stay_on_loopback; stay_on_loopback(); "
    "from dataengine.cli import main; main()"
)
_CHECKOUT = Path(__file__).parents[1]
AWAY_SECONDS = 10.0
AGAIN_SECONDS = 90.0
"""After so long a lost machine's work is begun again."""


@dataclass
class Driver:
    """A command line that is run until it is done.

    Attributes:
        runs: how often it was started.
        told: what it said when it ended.
    """

    arguments: Sequence[str]
    environment: dict[str, str]
    runs: int = 0
    told: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.runs += 1
        self.process = subprocess.Popen(
            [sys.executable, "-c", _DRIVER, *self.arguments],
            cwd=_CHECKOUT,
            env={**os.environ, **self.environment, "PYTHONPATH": str(_CHECKOUT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_done(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                _, err = self.process.communicate(timeout=max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError(f"not done after {seconds:.0f} s; {self.told}") from None
            self.told.append(f"{self.process.returncode}: {err[-400:]}")
            if self.process.returncode == 0:
                return
            assert self.runs < 8, self.told
            self.start()

    def stop(self) -> None:
        """Press Ctrl-C, and read what it says of that."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=AGAIN_SECONDS)
        assert self.process.returncode == INTERRUPTED, err
        assert err.splitlines()[-1] == "Stopped. Run the same command to go on where it was."
        assert "Traceback" not in err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.start()


@dataclass
class Scene:
    """Where faults happen."""

    machines: Machines
    driver: Driver
    engine: Engine
    chance: random.Random
    log: list[str] = field(default_factory=list)

    def finished(self) -> int:
        """Jobs that succeeded."""
        done = sa.select(sa.func.count()).where(JobRow.state == JobState.SUCCEEDED)
        with reader(self.engine).begin() as connection:
            return int(connection.scalar(done.select_from(JobRow)) or 0)

    def holders(self) -> dict[str, int]:
        """Jobs that are being done, by who does them."""
        held = sa.select(JobRow.owner, sa.func.count()).where(JobRow.state == JobState.DOING)
        with reader(self.engine).begin() as connection:
            return {row[0]: row[1] for row in connection.execute(held.group_by(JobRow.owner))}

    def processes(self, owner: str) -> list[psutil.Process]:
        """The process that an owner's name stands for, and whoever supervises it."""
        with reader(self.engine).begin() as connection:
            known = owners.present(connection).get(owner)
        if known is None:
            return []
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(known.pid)
            # A forked worker's parent is the server that it was copied from.
            return [worker, *worker.parents()[:2]]
        return []

    def wait_for_a_holder(self) -> str | None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.driver.process.poll() is None:
            for owner in self.holders():
                if self.processes(owner):
                    return owner
            time.sleep(0.02)
        return None


def kill_worker(scene: Scene) -> None:
    """The process that has the pictures; whoever supervises it replaces it."""
    owner = scene.wait_for_a_holder()
    for process in scene.processes(owner)[:1] if owner else ():
        with suppress(psutil.NoSuchProcess):
            process.kill()


def kill_actor(scene: Scene) -> None:
    """Ray's own process, and with it the worker."""
    actors = scene.machines.workers()
    if actors:
        with suppress(psutil.NoSuchProcess):
            scene.chance.choice(actors).kill()


def lose_machine(scene: Scene) -> None:
    """What it held is begun again in time, by others or by the machine that comes for it."""
    scene.machines.lose()
    lost = set(scene.holders())
    scene.machines.refill()
    began = time.monotonic()
    while scene.driver.process.poll() is None and lost & set(scene.holders()):
        still = [owner for owner in lost & set(scene.holders()) if not scene.processes(owner)]
        if not still:
            break
        assert time.monotonic() - began < AGAIN_SECONDS, f"{still} is still waited for"
        time.sleep(0.2)
    scene.log.append(f"machine lost, its work free after {time.monotonic() - began:.1f} s")


def kill_driver(scene: Scene) -> None:
    """The command, which is run again."""
    scene.driver.kill()


def stop_driver(scene: Scene) -> None:
    """The command, asked to stop while something is being done, which gives everything back."""
    scene.wait_for_a_holder()
    scene.driver.stop()
    assert scene.holders() == {}
    scene.driver.start()


def restart_database(scene: Scene) -> None:
    """As an administrator does."""
    postgres().stop()
    time.sleep(scene.chance.uniform(0, 2))
    postgres().start()


def take_storage_away(scene: Scene) -> None:
    """Every request is turned away for a while."""
    scene.machines.road.always = Fault(status=503, code="SlowDown", message="later")
    time.sleep(AWAY_SECONDS)
    scene.machines.road.always = DELAY


def stop_and_revive(scene: Scene) -> None:
    """A worker is stopped until its work was given to others, and then goes on with it."""
    owner = scene.wait_for_a_holder()
    stopped = scene.processes(owner) if owner else []
    stopped = [each for each in stopped if "raylet" not in each.name()]
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    began = time.monotonic()
    while owner in scene.holders() and scene.driver.process.poll() is None:
        assert time.monotonic() - began < AGAIN_SECONDS, "nobody takes a stopped worker's work"
        time.sleep(0.2)
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.resume()
    scene.log.append(f"stopped, its work taken after {time.monotonic() - began:.1f} s")


DELAY = Fault(silence=0.03)
"""Of every request to object storage, so that there is time for something to happen."""

FAULTS: tuple[Callable[[Scene], None], ...] = (
    kill_worker,
    lose_machine,
    kill_driver,
    restart_database,
    stop_and_revive,
    kill_actor,
    take_storage_away,
)


def disturbed(
    machines: Machines,
    arguments: Sequence[str],
    environment: dict[str, str],
    database: str,
    faults: Sequence[Callable[[Scene], None]],
    jobs: int,
    seed: int = 0,
) -> Scene:
    """Run a command line to its end while faults happen, spread over its jobs.

    Args:
        machines: of the session.
        arguments: of `dataengine`.
        environment: of its process.
        database: URL of the workspace's.
        faults: one after the other.
        jobs: that the command does in all.
        seed: of the moments.
    """
    machines.refill()
    machines.road.always = DELAY
    driver = Driver(arguments, environment)
    scene = Scene(machines, driver, open_engine(database), random.Random(seed))
    driver.start()
    try:
        for number, fault in enumerate(faults):
            moment = int(jobs * (number + scene.chance.random()) / (len(faults) + 1))
            while scene.finished() < moment and driver.process.poll() is None:
                time.sleep(0.05)
            scene.log.append(f"{fault.__name__} after {scene.finished()} of {jobs} jobs")
            fault(scene)
        driver.until_done(300)
    finally:
        machines.road.always = None
        if driver.process.poll() is None:
            driver.process.send_signal(signal.SIGKILL)
        scene.engine.dispose()
    print(json.dumps(scene.log, indent=1), driver.told)
    return scene
