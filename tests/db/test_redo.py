"""`redo`: items that have changed are done again, whatever became of them before."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from db import Job, JobRow, JobState, LeaseLostError, Stage, queue

READ, DETECT = Stage.READ, Stage.DETECT


def claim(engine: Engine, owner: str, limit: int) -> list[Job]:
    with engine.begin() as connection:
        return queue.claim(connection, READ, owner, limit, lease_seconds=60)


def redo(engine: Engine, *item_ids: int, stage: Stage = READ) -> int:
    with engine.begin() as connection:
        return queue.redo(connection, stage, item_ids)


def rows(engine: Engine, stage: Stage = READ) -> dict[int, sa.Row]:
    table = JobRow.__table__
    with engine.begin() as connection:
        found = connection.execute(sa.select(table).where(table.c.stage == stage)).all()
    return {row.item_id: row for row in found}


@pytest.fixture
def jobs(engine: Engine) -> dict[str, Job]:
    """Read jobs 1 (succeeded), 2 (failed), 3 (being done), 4 (waiting); detect job 1 succeeded."""
    with engine.begin() as connection:
        queue.enqueue(connection, READ, [1, 2, 3, 4])
        queue.enqueue(connection, DETECT, [1])
    succeeded, failed = claim(engine, "a", 2)
    with engine.begin() as connection:
        queue.succeed(connection, [succeeded], "a")
        queue.fail(connection, failed, "a", "truncated", "it is cut off")
        detect = queue.claim(connection, DETECT, "a", 1, lease_seconds=60)
        queue.succeed(connection, detect, "a")
    (held,) = claim(engine, "b", 1)
    return {"succeeded": succeeded, "failed": failed, "held": held}


@pytest.mark.usefixtures("jobs")
def test_what_is_finished_waits_again_with_a_clean_record(engine: Engine) -> None:
    assert redo(engine, 1, 2, 3, 4, 99) == 2
    found = rows(engine)
    assert {item: row.state for item, row in found.items()} == {
        1: JobState.TODO,
        2: JobState.TODO,
        3: JobState.DOING,
        4: JobState.TODO,
    }
    for item in (1, 2):
        assert (found[item].reason, found[item].error, found[item].finished_at) == (None,) * 3
        assert (found[item].owner, found[item].crashes, found[item].attempts) == (None, 0, 1)
    assert rows(engine, DETECT)[1].state is JobState.SUCCEEDED
    again = claim(engine, "c", 10)
    assert [(job.item_id, job.attempts) for job in again] == [(1, 2), (2, 2), (4, 1)]


@pytest.mark.usefixtures("jobs")
def test_only_the_items_named_and_only_once(engine: Engine) -> None:
    assert redo(engine) == 0
    assert redo(engine, 2) == 1
    assert redo(engine, 2) == 0
    assert rows(engine)[1].state is JobState.SUCCEEDED
    assert redo(engine, 1, stage=Stage.LABEL) == 0


def test_what_is_being_done_can_still_be_finished(engine: Engine, jobs: dict[str, Job]) -> None:
    redo(engine, 3)
    with engine.begin() as connection:
        queue.succeed(connection, [jobs["held"]], "b")
    assert redo(engine, 3) == 1


def test_who_had_finished_before_holds_nothing_now(engine: Engine, jobs: dict[str, Job]) -> None:
    redo(engine, 1)
    with pytest.raises(LeaseLostError), engine.begin() as connection:
        queue.succeed(connection, [jobs["succeeded"]], "a")
    assert rows(engine)[1].state is JobState.TODO


def test_a_job_given_up_after_crashes_is_no_longer_quarantined(engine: Engine) -> None:
    with engine.begin() as connection:
        queue.enqueue(connection, READ, [1, 2])
    for owner in ("a", "b"):
        claim(engine, owner, 1)
        with engine.begin() as connection:
            queue.crashed(connection, owner, max_solo_crashes=1)
    assert {row.reason for row in rows(engine).values()} == {queue.WORKER_CRASHED}
    assert redo(engine, 1, 2) == 2
    assert len(claim(engine, "c", 10)) == 2


def test_more_items_than_one_statement_holds(engine: Engine) -> None:
    with engine.begin() as connection:
        queue.enqueue(connection, READ, range(1200))
    done = claim(engine, "a", 1200)
    with engine.begin() as connection:
        queue.succeed(connection, done, "a")
    assert redo(engine, *range(1300)) == 1200
