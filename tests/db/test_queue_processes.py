"""Several real processes on one file."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from multiprocessing.process import BaseProcess

from sqlalchemy.engine import Engine

from db import JobState, Stage, find_damage, open_engine, queue, reader

# A spawned child would have to import this module and SQLAlchemy again, 0.7 s each.
CONTEXT = multiprocessing.get_context("fork")
JOBS = 2000


def start(target, *args: object) -> BaseProcess:
    process = CONTEXT.Process(target=target, args=args)
    process.start()
    return process


def fill(engine: Engine, jobs: int = JOBS) -> None:
    with engine.begin() as connection:
        queue.enqueue(connection, Stage.READ, range(jobs))


def drain(engine: Engine, owner: str, results) -> None:
    claimed: list[int] = []
    while True:
        with engine.begin() as connection:
            jobs = queue.claim(connection, Stage.READ, owner, 16, lease_seconds=60)
        if not jobs:
            break
        claimed += [job.item_id for job in jobs]
        with engine.begin() as connection:
            queue.succeed(connection, jobs, owner)
            queue.enqueue(connection, Stage.DETECT, (job.item_id for job in jobs))
    results.put(claimed)


def drain_url(url: str, owner: str, results) -> None:
    drain(open_engine(url), owner, results)


def claim_and_hang(url: str, owner: str, claimed) -> None:
    with open_engine(url).begin() as connection:
        jobs = queue.claim(connection, Stage.READ, owner, 16, lease_seconds=60)
    claimed.put(len(jobs))
    time.sleep(60)


def hang_in_a_transaction(url: str, claimed) -> None:
    with open_engine(url).begin() as connection:
        claimed.put(len(queue.claim(connection, Stage.READ, "held", 16, lease_seconds=60)))
        time.sleep(60)


def kill(process: BaseProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_nothing_is_claimed_twice(engine: Engine, url: str) -> None:
    fill(engine)
    results = CONTEXT.SimpleQueue()
    workers = [start(drain_url, url, f"worker-{i}", results) for i in range(4)]
    claimed = Counter(item for _ in workers for item in results.get())
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert claimed == Counter(range(JOBS))
    with engine.begin() as connection:
        counts = queue.counts(connection)
    assert counts[Stage.READ][JobState.SUCCEEDED] == JOBS
    assert counts[Stage.DETECT][JobState.TODO] == JOBS


def test_forked_children_do_not_share_the_parents_connections(engine: Engine) -> None:
    fill(engine)
    results = CONTEXT.SimpleQueue()
    with reader(engine).begin() as connection:  # checked out while forking
        before = queue.counts(connection)
        workers = [start(drain, engine, f"worker-{i}", results) for i in range(2)]
        claimed = Counter(item for _ in workers for item in results.get())
        assert queue.counts(connection) == before, "the parent's snapshot stands"
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert claimed == Counter(range(JOBS))
    with engine.begin() as connection:
        assert queue.counts(connection)[Stage.READ][JobState.SUCCEEDED] == JOBS
    assert find_damage(engine) is None


def test_a_killed_owners_jobs_go_on(engine: Engine, url: str) -> None:
    fill(engine, 20)
    claimed = CONTEXT.SimpleQueue()
    victim = start(claim_and_hang, url, "victim", claimed)
    assert claimed.get() == 16
    kill(victim)
    with engine.begin() as connection:
        assert queue.owners(connection) == ["victim"]
        assert queue.crashed(connection, "victim") == []
        jobs = queue.claim(connection, Stage.READ, "b", 16, lease_seconds=60)
        assert [job.item_id for job in jobs] == [16, 17, 18, 19]
        queue.succeed(connection, jobs, "b")
        for expected in range(16):
            (job,) = queue.claim(connection, Stage.READ, "b", 16, lease_seconds=60)
            assert (job.item_id, job.crashes) == (expected, 1)
            queue.succeed(connection, [job], "b")
        assert queue.pending(connection, [Stage.READ]) == (False, False)


def test_a_process_killed_within_a_transaction_leaves_no_trace(engine: Engine, url: str) -> None:
    fill(engine, 20)
    claimed = CONTEXT.SimpleQueue()
    victim = start(hang_in_a_transaction, url, claimed)
    assert claimed.get() == 16
    # Meanwhile a reader neither waits nor sees what is not committed.
    began = time.monotonic()
    with reader(engine).begin() as connection:
        assert queue.counts(connection)[Stage.READ][JobState.TODO] == 20
    assert time.monotonic() - began < 1
    kill(victim)
    with engine.begin() as connection:
        assert len(queue.claim(connection, Stage.READ, "b", 99, lease_seconds=60)) == 20
