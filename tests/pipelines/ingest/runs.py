"""Real `dataengine ingest` runs in process groups of their own, to be killed and interrupted."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import FAKES

PROGRAM = [sys.executable, "-c", "from dataengine.cli import main; main()"]


@dataclass(frozen=True)
class Ended:
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """What `--json` printed."""
        return dict(json.loads(self.out))


class Run:
    """A started `dataengine -w WORKSPACE ingest ARGUMENTS… --json`."""

    def __init__(
        self, workspace: Path, *arguments: str | Path, environment: dict[str, str] | None = None
    ) -> None:
        self.workspace = workspace
        command = [*PROGRAM, "-w", str(workspace), "ingest", *map(str, arguments), "--json"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "300", **(FAKES if environment is None else environment)},
        )

    def end(self, timeout: float = 300) -> Ended:
        """Wait for the end; whatever happens, nothing of the group survives."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        finally:
            self.signal(signal.SIGKILL)
        return Ended(self.process.returncode, out, err)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, as a terminal does."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def worker_ids(self) -> list[int]:
        """Process ids of the workers."""
        try:
            server = psutil.Process(self.process.pid).children()
            return [worker.pid for process in server for worker in process.children()]
        except psutil.NoSuchProcess:
            return []

    def finished_jobs(self) -> int:
        """How many jobs have ended so far; 0 as long as there is no database."""
        path = self.workspace / "dataengine.db"
        if not path.is_file():
            return 0
        query = "SELECT count(*) FROM job WHERE state IN ('succeeded', 'failed')"
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return int(database.execute(query).fetchone()[0])
        except sqlite3.OperationalError:  # its tables are being made
            return 0

    def wait_until(self, condition: Callable[[], object], timeout: float = 120) -> bool:
        """True once the condition holds, False if the run ended before it did."""
        end = time.monotonic() + timeout
        while self.is_running:
            if condition():
                return True
            assert time.monotonic() < end, "nothing happens any more"
            time.sleep(0.002)
        return False


def ingest(
    workspace: Path, *arguments: str | Path, environment: dict[str, str] | None = None
) -> Ended:
    """A run from its beginning to its end."""
    return Run(workspace, *arguments, environment=environment).end()
