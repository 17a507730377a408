from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from db import Image, Job, JobRow, JobState, LeaseLostError, Stage, queue

READ, DETECT, LABEL = Stage.READ, Stage.DETECT, Stage.LABEL


def enqueue(engine: Engine, *item_ids: int, stage: Stage = READ) -> int:
    with engine.begin() as connection:
        return queue.enqueue(connection, stage, item_ids)


def claim(
    engine: Engine, owner: str, limit: int = 10, stage: Stage = READ, now: float | None = None
) -> list[Job]:
    with engine.begin() as connection:
        return queue.claim(connection, stage, owner, limit, lease_seconds=60, now=now)


def succeed(engine: Engine, jobs: list[Job], owner: str) -> None:
    with engine.begin() as connection:
        queue.succeed(connection, jobs, owner)


def crash(engine: Engine, owner: str) -> list[Job]:
    with engine.begin() as connection:
        return queue.crashed(connection, owner)


def row(engine: Engine, item_id: int, stage: Stage = READ) -> sa.Row:
    table = JobRow.__table__
    with engine.begin() as connection:
        where = (table.c.stage == stage) & (table.c.item_id == item_id)
        return connection.execute(sa.select(table).where(where)).one()


def items(jobs: list[Job]) -> list[int]:
    return [job.item_id for job in jobs]


def test_enqueue_counts_only_what_is_new(engine: Engine) -> None:
    assert enqueue(engine, 5, 7, 5) == 2
    assert enqueue(engine, 7, 9) == 1
    assert enqueue(engine, 7, stage=DETECT) == 1
    assert enqueue(engine) == 0


def test_enqueue_and_succeed_more_than_one_statement_holds(engine: Engine) -> None:
    assert enqueue(engine, *range(3000)) == 3000
    jobs = claim(engine, "a", limit=5000)
    assert items(jobs) == list(range(3000))
    succeed(engine, jobs, "a")
    with engine.begin() as connection:
        assert queue.counts(connection)[READ][JobState.SUCCEEDED] == 3000


def test_enqueue_leaves_finished_jobs_alone(engine: Engine) -> None:
    enqueue(engine, 1)
    succeed(engine, claim(engine, "a"), "a")
    assert enqueue(engine, 1) == 0
    assert row(engine, 1).state is JobState.SUCCEEDED


def test_claim_takes_the_oldest_of_its_stage_once(engine: Engine) -> None:
    enqueue(engine, 30, 10, 20)
    enqueue(engine, 99, stage=LABEL)
    first = claim(engine, "a", limit=2)
    assert items(first) == [30, 10]
    assert first[0] == Job(first[0].id, READ, 30, attempts=1, crashes=0)
    assert isinstance(first[0].stage, Stage)
    assert items(claim(engine, "b")) == [20]
    assert claim(engine, "c") == []
    assert claim(engine, "c", limit=0, stage=LABEL) == []


def test_succeed_records_the_end(engine: Engine) -> None:
    enqueue(engine, 1)
    before = datetime.now(UTC)
    succeed(engine, claim(engine, "a"), "a")
    ended = row(engine, 1)
    assert ended.state is JobState.SUCCEEDED
    assert (ended.owner, ended.lease_until, ended.attempts) == (None, None, 1)
    assert before <= ended.finished_at <= datetime.now(UTC)
    with engine.begin() as connection:
        queue.succeed(connection, [], "a")


def test_fail_records_why_and_retry_starts_afresh(engine: Engine) -> None:
    enqueue(engine, 1, 2)
    jobs = claim(engine, "a")
    with engine.begin() as connection:
        for job in jobs:
            queue.fail(connection, job, "a", "truncated", "x.jpg ends early\0\udcff" + "!" * 9000)
    failed = row(engine, 1)
    assert (failed.state, failed.reason, failed.owner) == (JobState.FAILED, "truncated", None)
    assert failed.error.startswith("x.jpg ends early\\0\\udcff!")
    assert len(failed.error) == queue.MAX_ERROR_CHARACTERS

    with engine.begin() as connection:
        assert queue.retry_failed(connection, DETECT) == 0
        assert queue.retry_failed(connection, READ, [2, 3]) == 1
        with pytest.raises(ValueError, match="without a stage"):
            queue.retry_failed(connection, item_ids=[1])
    assert row(engine, 1).state is JobState.FAILED
    again = row(engine, 2)
    assert (again.state, again.reason, again.error) == (JobState.TODO, None, None)
    assert (again.crashes, again.finished_at) == (0, None)
    with engine.begin() as connection:
        assert queue.retry_failed(connection) == 1
    assert [job.attempts for job in claim(engine, "b")] == [2, 2]


def test_a_late_finisher_is_refused_and_its_results_are_rolled_back(engine: Engine) -> None:
    enqueue(engine, 1, 2)
    late = claim(engine, "late", now=1000.0)
    with engine.begin() as connection:
        assert queue.reap_expired(connection, now=1059.0) == 0
        assert queue.reap_expired(connection, now=1061.0) == 2
    prompt = claim(engine, "prompt", limit=1)
    assert prompt[0].crashes == 0

    def write_and_finish() -> None:
        with engine.begin() as connection:
            image = {"sha256": "0" * 64, "size_bytes": 1}
            connection.execute(sa.insert(Image), image)
            queue.enqueue(connection, DETECT, [1])
            queue.succeed(connection, late, "late")

    with pytest.raises(LeaseLostError, match="late no longer holds 2 of 2"):
        write_and_finish()
    with engine.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Image)) == 0
        assert sum(queue.counts(connection)[DETECT].values()) == 0
    assert row(engine, 1).owner == "prompt"
    with engine.begin() as connection, pytest.raises(LeaseLostError):
        queue.fail(connection, late[0], "late", "truncated", "too late")
    succeed(engine, prompt, "prompt")


def test_one_lost_job_refuses_the_whole_batch(engine: Engine) -> None:
    enqueue(engine, 1, 2)
    jobs = claim(engine, "a")
    succeed(engine, jobs[:1], "a")
    with pytest.raises(LeaseLostError, match="1 of 2"):
        succeed(engine, jobs, "a")
    assert row(engine, 2).state is JobState.DOING


def test_renew_keeps_a_lease_alive(engine: Engine) -> None:
    enqueue(engine, 1, 2)
    claim(engine, "a", limit=1, now=1000.0)
    claim(engine, "b", limit=1, now=1000.0)
    with engine.begin() as connection:
        assert queue.renew(connection, "a", 60, now=1050.0) == 1
        assert queue.reap_expired(connection, now=1100.0) == 1
        assert queue.owners(connection) == ["a"]


def test_release_gives_back_without_blame(engine: Engine) -> None:
    enqueue(engine, 1, 2, 3)
    claim(engine, "a", limit=2)
    claim(engine, "b")
    with engine.begin() as connection:
        assert queue.owners(connection) == ["a", "b"]
        held = connection.scalars(sa.select(JobRow.id).where(JobRow.owner == "a")).all()
        assert queue.release(connection, "a", but=held[:1]) == 1
        assert queue.release(connection, "a") == 1
        assert queue.release(connection, "a") == 0
    assert [(job.item_id, job.crashes) for job in claim(engine, "c")] == [(1, 0), (2, 0)]


def test_only_the_poisonous_job_of_a_crashed_batch_fails(engine: Engine) -> None:
    poison = 3
    enqueue(engine, 1, 2, poison, 4, 5, 6)
    finished: list[int] = []
    given_up: list[Job] = []
    for attempt in range(20):
        owner = f"worker-{attempt}"
        while jobs := claim(engine, owner, limit=4):
            if poison in items(jobs):
                given_up += crash(engine, owner)
                break
            finished += items(jobs)
            succeed(engine, jobs, owner)
    assert sorted(finished) == [1, 2, 4, 5, 6]
    assert finished[:2] == [5, 6], "crash-free jobs come first"
    assert [(job.item_id, job.crashes) for job in given_up] == [(poison, 2)]
    failed = row(engine, poison)
    assert (failed.state, failed.reason) == (JobState.FAILED, queue.WORKER_CRASHED)
    assert "died 2 times" in failed.error
    assert failed.crashes == 2


def test_quarantined_jobs_are_held_alone(engine: Engine) -> None:
    enqueue(engine, 1, 2)
    claim(engine, "a")
    crash(engine, "a")
    enqueue(engine, 3)
    assert items(claim(engine, "b")) == [3], "an innocent job goes first"
    assert claim(engine, "b") == [], "b still holds an innocent job"
    solo = claim(engine, "c")
    assert items(solo) == [1]
    enqueue(engine, 4)
    enqueue(engine, 5, stage=LABEL)
    assert claim(engine, "c") == [], "c holds a quarantined job"
    assert claim(engine, "c", stage=LABEL) == []
    succeed(engine, solo, "c")
    assert items(claim(engine, "c")) == [4]


def test_a_job_that_was_alone_gets_a_second_chance(engine: Engine) -> None:
    enqueue(engine, 1)
    claim(engine, "a")
    assert crash(engine, "a") == []
    assert row(engine, 1).crashes == 1
    claim(engine, "b")
    assert items(crash(engine, "b")) == [1]
    assert crash(engine, "nobody") == []


def test_counts_names_every_state(engine: Engine) -> None:
    enqueue(engine, 1, 2, 3)
    claim(engine, "a", limit=1)
    with engine.begin() as connection:
        counts = queue.counts(connection)
    assert list(counts) == list(Stage)
    assert counts[READ] == {"todo": 2, "doing": 1, "succeeded": 0, "failed": 0}
    assert counts[LABEL] == dict.fromkeys(JobState, 0)


def test_pending_tells_waiting_from_being_done(engine: Engine) -> None:
    enqueue(engine, 1)
    with engine.begin() as connection:
        assert queue.pending(connection, [READ, DETECT]) == (True, False)
        assert queue.pending(connection, [DETECT]) == (False, False)
        assert queue.pending(connection, []) == (False, False)
    claim(engine, "a")
    with engine.begin() as connection:
        assert queue.pending(connection, list(Stage)) == queue.Pending(todo=False, doing=True)


def test_unknown_states_cannot_be_stored(engine: Engine) -> None:
    enqueue(engine, 1)
    with engine.begin() as connection, pytest.raises(IntegrityError, match="ck_job_state"):
        connection.exec_driver_sql("UPDATE job SET state = 'lost'")


def test_frequent_statements_search_by_index(engine: Engine) -> None:
    seen: list[tuple[str, object]] = []

    def record(_conn, _cursor, statement: str, parameters: object, *_rest: object) -> None:
        if "job" in statement and "INSERT" not in statement:
            seen.append((statement, parameters))

    enqueue(engine, 1, 2)
    sa.event.listen(engine, "before_cursor_execute", record)
    succeed(engine, claim(engine, "a", limit=1), "a")
    claim(engine, "a")
    claim(engine, "a")
    with engine.begin() as connection:
        queue.pending(connection, list(Stage))
        queue.reap_expired(connection)
        queue.renew(connection, "a", 60)
    sa.event.remove(engine, "before_cursor_execute", record)
    assert len(seen) == 8
    with engine.begin() as connection:
        for statement, parameters in seen:
            if engine.dialect.name == "sqlite":
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                steps, bad = [step[3] for step in plan], ("SCAN job", "B-TREE")
            else:
                # Of few rows a whole table is read sooner; a prepared statement knows no values.
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
                connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
                plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                steps, bad = [step[0] for step in plan], ("Seq Scan on job", "Sort ")
            assert not [step for step in steps if any(each in step for each in bad)], steps
