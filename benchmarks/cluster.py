"""What many workers on one database lose to each other: simulated work, real coordination.

    uv run python benchmarks/cluster.py --part coordination [--rate 4] [--workers 1 2 4 8 16 32]
    uv run python benchmarks/cluster.py --part commits [--workers 1 2]

Workers are processes of this machine that do all that a worker of `ingest --on ray` does (claims,
leases, chunks, rows of all stages, heartbeats) on a PostgreSQL server that flushes to the disk, but
for the pictures: they sleep as long as those would take at `--rate` images a second, and put one
blob a batch into an S3 server (moto) instead of three an image. What they find in a photo is made
up: one face, one portrait, one mask with a dozen scores.

`busy` is the share of the workers' time that went into (simulated) work that was committed, the
start of the processes left out. `commits` does not sleep and puts nothing: what is left is the
database.
"""

import argparse
import hashlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import sqlalchemy as sa

from db import MaskSource, Outcome, Source, Stage, Verdict, insert_new, queue
from pipelines.ingest.models import Models
from pipelines.ingest.source_records import SourceFile
from pipelines.ingest.stage_table import (
    DetectTask,
    DetectWork,
    LabelWork,
    ReadWork,
    SeeingWork,
    StoredDetection,
)
from pipelines.ingest.stages import DetectedImage, FileContent, PortraitCrop
from pipelines.pictures.geometry import Face
from pipelines.pictures.near_duplicates.descriptor import descriptor
from pipelines.pictures.rotation import Crop
from pipelines.portraits.rows import NewMask, PortraitRecord
from pipelines.work.chunks import ChunkSizes
from pipelines.work.cluster import CHUNK_SECONDS, LEASE_SECONDS
from pipelines.work.stage import Committed
from pipelines.work.worker import Begun, Worker
from pipelines.workspace.opening import init_workspace, open_workspace
from pipelines.workspace.settings_used import settings_id
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAKES
from tests.object_storage import server as storage
from tests.postgres import Server, server_programs

FACE = Face((80.0, 90.0, 180.0, 220.0), tuple((100.0 + n, 120.0) for n in range(5)), 0.99)
CROP = Crop((0, 0, 240, 300), 0)
LOOKS = descriptor(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
SCORES = {f"score_{number}": 0.123456 + number / 7 for number in range(12)}
SHARES = {Stage.READ: 0.0, Stage.DETECT: 0.4, Stage.LABEL: 0.6}
"""Of the time that an image takes; as benchmarks/README.md has it for two cores."""

Work = tuple[int, float, float, float]
"""Of a worker: images labelled, its time, what it slept, and its processor time."""


class Told:
    """What a worker sleeps and puts."""

    def __init__(self, workspace: Workspace, rate: float | None, batch: int) -> None:
        self.workspace, self.rate, self.batch_size = workspace, rate, batch
        self.slept = 0.0

    def work(self, stage: Stage, items: int) -> str:
        """Sleep as long as so many items take; the key of a blob."""
        if self.rate is None:
            return "portrait/none"
        seconds = items * SHARES[stage] / self.rate
        time.sleep(seconds)
        self.slept += seconds
        data = f"{self.workspace.owner} {self.slept}".encode()
        return self.workspace.store.put(BlobKind.PORTRAIT, data)


class Reading(ReadWork):
    """Files that nobody reads."""

    def run(self, items: Sequence[SourceFile]) -> list[Any]:
        """A content for each address."""
        return [FileContent(hashlib.sha256(each.uri.encode()).hexdigest(), 1000) for each in items]


class Simulated(SeeingWork):
    """What is told to a stage whose networks are not asked."""

    def __init__(self, told: Told, used: int) -> None:
        super().__init__(told.workspace, Models(told.workspace.settings, 1), used)
        self._told = told

    @property
    def batch_size(self) -> int:
        """As it was asked for."""
        return self._told.batch_size


class Detecting(Simulated, DetectWork):
    """Photos with one face each."""

    def run(self, items: Sequence[DetectTask]) -> list[Any]:
        """Wait as long as it takes."""
        blob = self._told.work(self.stage, len(items))
        portrait = PortraitCrop(FACE, CROP, b"")
        found = DetectedImage(
            240, 300, "JPEG", 1, 2, LOOKS, [FACE], [portrait], Outcome.PORTRAITS, []
        )
        return [StoredDetection(task, found, [blob], "simulated") for task in items]


class Labelling(Simulated, LabelWork):
    """Portraits with one mask each."""

    def run(self, items: Sequence[PortraitRecord]) -> list[Any]:
        """Wait as long as it takes."""
        blob = self._told.work(self.stage, len(items))
        made = partial(NewMask, source=MaskSource.TEACHER, producer="simulated", blob=blob)
        return [
            made(
                portrait_id=each.portrait_id,
                probability_blob=blob,
                verdict=Verdict.CANDIDATE,
                reasons=[],
                scores=SCORES,
            )
            for each in items
        ]


def worker(
    root: Path,
    rate: float | None,
    batch: int,
    seconds: float,
    ready: Semaphore,
    start: Event,
    done: SimpleQueue[Work],
) -> None:
    """Work for so long, and tell of it."""
    workspace = open_workspace(root)
    told = Told(workspace, rate, batch)
    used = settings_id(workspace)
    table = (Labelling(told, used), Detecting(told, used), Reading(workspace))
    labelled, renewed, paid = 0, time.monotonic(), 0.0

    def say(message: object) -> None:
        nonlocal labelled, renewed, paid
        if isinstance(message, Committed):
            labelled += message.done * (message.stage is Stage.LABEL)
            paid = told.slept
        elif isinstance(message, Begun) and time.monotonic() - renewed > LEASE_SECONDS / 3:
            with workspace.engine.begin() as connection:  # as whoever supervises it does
                queue.renew(connection, workspace.owner, LEASE_SECONDS)
            renewed = time.monotonic()

    sizes = ChunkSizes(CHUNK_SECONDS)
    ready.release()
    start.wait()
    before, began = time.process_time(), time.monotonic()
    Worker(workspace, table, LEASE_SECONDS, sizes).run(
        lambda: time.monotonic() - began > seconds, say
    )
    done.put((labelled, time.monotonic() - began, paid, time.process_time() - before))
    workspace.close()


def measure(
    host: Server, workers: int, images: int, rate: float | None, batch: int, seconds: float
) -> tuple[float, float, float]:
    """Images a second, the busy share, and processor milliseconds an image, the server's too."""
    with tempfile.TemporaryDirectory() as folder, storage().bucket() as bucket:
        root = Path(folder) / "ws"
        with host.database(empty=True) as name:
            init_workspace(root, host.url(name), f"s3://{bucket}/ws")
            workspace = open_workspace(root)
            for first in range(0, images, 5000):
                numbers = range(first, min(first + 5000, images))
                rows = [{"uri": f"s3://{bucket}/crawl/{each}.jpg"} for each in numbers]
                with workspace.engine.begin() as connection:
                    queue.enqueue(connection, Stage.READ, insert_new(connection, Source, rows))
            with workspace.engine.connect() as connection:
                autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
                autocommit.execute(sa.text("ANALYZE"))
            workspace.close()
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["benchmarks.cluster"])
            ready, start, done = context.Semaphore(0), context.Event(), context.SimpleQueue()
            arguments = (root, rate, batch, seconds, ready, start, done)
            made = [context.Process(target=worker, args=arguments) for _ in range(workers)]
            for each in made:
                each.start()
            for _ in made:
                ready.acquire()
            before = _server_seconds(host)
            start.set()
            told = [done.get() for _ in made]
            server_seconds = _server_seconds(host) - before
            for each in made:
                each.join()
    labelled = sum(each[0] for each in told)
    busy = sum(each[2] for each in told) / sum(each[1] for each in told)
    cpu = (sum(each[3] for each in told) + server_seconds) / max(labelled, 1)
    return labelled / max(each[1] for each in told), busy, cpu * 1000


def _server_seconds(host: Server) -> float:
    """Processor time of the server's processes, those that ended too."""
    main = psutil.Process(host._process.pid)
    each = [main.cpu_times(), *(child.cpu_times() for child in main.children(recursive=True))]
    ended = main.cpu_times()
    own = sum(times.user + times.system for times in each)
    return float(own + ended.children_user + ended.children_system)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["coordination", "commits"], default="coordination")
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--rate", type=float, default=4.0, help="images a second of a worker")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--images", type=int, default=20_000, help="of `commits`")
    options = parser.parse_args()
    os.environ |= {**FAKES, **storage().environment()}
    programs = server_programs()
    assert programs is not None, "apt-get install postgresql"
    host = Server(programs, flushes=True, connections=200)
    try:
        if options.part == "commits":
            print("| workers | images/s | processor ms an image |\n|---|---|---|")
            for workers in options.workers or [1, 2]:
                rate, _, cpu = measure(host, workers, options.images, None, 32, 3600)
                print(f"| {workers} | {rate:,.0f} | {cpu:.3f} |", flush=True)
            return
        print("| workers | images/s | busy | processor ms an image |\n|---|---|---|---|")
        for workers in options.workers or [1, 2, 4, 8, 16, 32]:
            images = int(workers * options.rate * options.seconds * 1.5) + 2048
            rate, busy, cpu = measure(
                host, workers, images, options.rate, options.batch, options.seconds
            )
            print(f"| {workers} | {rate:,.1f} | {busy:.3f} | {cpu:.2f} |", flush=True)
    finally:
        host.remove()


if __name__ == "__main__":
    main()
