"""How many jobs a second the queue claims and finishes, and whether that holds in large tables.

    python benchmarks/job_queue.py [--rows 100000 1000000] [--processes 1] [--repeats 3]

Every batch of 32 costs two transactions, one to claim and one to finish, as in ingestion. With
several processes the rate is the sum. `pending` is the question ingestion asks while it waits,
here on the finished table.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event, Semaphore
from typing import NamedTuple

from sqlalchemy.engine import Engine

from db import Stage, open_engine, queue, schema

BATCH = 32
ROWS_PER_INSERT = 10_000
LEASE_SECONDS = 60.0
PENDING_CALLS = 200


class Rates(NamedTuple):
    """One measurement."""

    enqueued: float  # jobs/s
    finished: float  # jobs/s
    pending: float  # microseconds per call


def drain(engine: Engine, owner: str, at_most: int) -> int:
    """Claim and finish up to that many jobs; return the number."""
    finished = 0
    while finished < at_most:
        with engine.begin() as connection:
            jobs = queue.claim(connection, Stage.READ, owner, BATCH, LEASE_SECONDS)
        if not jobs:
            break
        with engine.begin() as connection:
            queue.succeed(connection, jobs, owner)
        finished += len(jobs)
    return finished


def worker(
    url: str, owner: str, at_most: int, ready: Semaphore, start: Event, done: SimpleQueue[int]
) -> None:
    """Drain from a process of its own, started when all are ready."""
    engine = open_engine(url)
    with engine.connect():
        ready.release()
    start.wait()
    done.put(drain(engine, owner, at_most))


def drain_in_processes(url: str, processes: int, at_most: int) -> tuple[int, float]:
    """Drain with several processes; return the jobs finished and the seconds it took."""
    context = multiprocessing.get_context("spawn")
    ready, start, done = context.Semaphore(0), context.Event(), context.SimpleQueue()
    share = -(-at_most // processes)
    children = [
        context.Process(target=worker, args=(url, f"worker-{i}", share, ready, start, done))
        for i in range(processes)
    ]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    began = time.perf_counter()
    start.set()
    finished = sum(done.get() for _ in children)
    seconds = time.perf_counter() - began
    for child in children:
        child.join()
    return finished, seconds


def measure(rows: int, processes: int, window: int) -> Rates:
    """Fill a fresh database and drain it."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/queue.db"
        engine = open_engine(url)
        schema.upgrade(engine)
        began = time.perf_counter()
        for first in range(0, rows, ROWS_PER_INSERT):
            with engine.begin() as connection:
                ids = range(first, min(first + ROWS_PER_INSERT, rows))
                queue.enqueue(connection, Stage.READ, ids)
        enqueued = rows / (time.perf_counter() - began)

        if processes == 1:
            began = time.perf_counter()
            finished = drain(engine, "worker", window)
            seconds = time.perf_counter() - began
        else:
            finished, seconds = drain_in_processes(url, processes, window)

        began = time.perf_counter()
        with engine.connect() as connection:
            for _ in range(PENDING_CALLS):
                queue.pending(connection, list(Stage))
        pending = (time.perf_counter() - began) / PENDING_CALLS
        engine.dispose()
        return Rates(enqueued, finished / seconds, pending * 1e6)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="the table shows medians")
    parser.add_argument("--window", type=int, help="finish only so many jobs (default: all)")
    options = parser.parse_args()

    print(f"{options.processes} process(es), batches of {BATCH}, median of {options.repeats}")
    print(f"{'rows':>10} {'finished':>10} {'items/s':>9} {'(range)':>17} {'slower':>7}", end="")
    print(f" {'enqueued/s':>10} {'pending us':>10}")
    windows = [min(rows, options.window or rows) for rows in options.rows]
    # Sizes take turns, so that other work on the machine slows all of them alike.
    rounds = [
        [measure(rows, options.processes, n) for rows, n in zip(options.rows, windows, strict=True)]
        for _ in range(options.repeats)
    ]
    first = None
    for column, (rows, window) in enumerate(zip(options.rows, windows, strict=True)):
        rates = [measured[column] for measured in rounds]
        finished = sorted(rate.finished for rate in rates)
        middle = statistics.median(finished)
        first = first or middle
        print(
            f"{rows:>10,} {window:>10,} {middle:>9,.0f} "
            f"{f'({finished[0]:,.0f}-{finished[-1]:,.0f})':>17} {first / middle:>6.2f}x "
            f"{statistics.median(rate.enqueued for rate in rates):>10,.0f} "
            f"{statistics.median(rate.pending for rate in rates):>10,.0f}"
        )


if __name__ == "__main__":
    main()
