"""Jobs taken back from the dead, the silent and the stuck; work asked for by an argument."""

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from db import Job, JobRow, JobState, Stage, queue

SIGNALS = Stage.SIGNALS


def ask(engine: Engine, *item_ids: int, argument: str = "1", retry: bool = False) -> None:
    with engine.begin() as connection:
        queue.ask(connection, SIGNALS, item_ids, argument, retry=retry)


def claim(engine: Engine, owner: str, limit: int = 10) -> list[Job]:
    with engine.begin() as connection:
        return queue.claim(connection, SIGNALS, owner, limit, lease_seconds=60)


def rows(engine: Engine) -> dict[int, sa.Row]:
    with engine.begin() as connection:
        found = connection.execute(sa.select(JobRow.__table__).order_by(JobRow.item_id)).all()
    return {row.item_id: row for row in found}


def test_a_job_that_is_lost_again_and_again_is_done_alone_and_then_given_up(
    engine: Engine,
) -> None:
    ask(engine, 1, 2)
    for loss in range(1, queue.MAX_LOSSES + 1):
        owner = f"run-{loss}"
        held = claim(engine, owner)
        assert [job.item_id for job in held] == ([1, 2] if loss <= 3 else [1])
        with engine.begin() as connection:
            given_back = queue.lost(connection, owner)
            assert given_back == (0 if loss == queue.MAX_LOSSES else len(held))
    first, second = rows(engine).values()
    assert (first.state, first.reason) == (JobState.FAILED, queue.GAVE_UP)
    assert "was begun 10 times" in first.error
    assert (second.state, second.losses) == (JobState.TODO, 3)
    with engine.begin() as connection:
        assert queue.retry_failed(connection, SIGNALS) == 1
    assert (rows(engine)[1].losses, rows(engine)[1].crashes) == (0, 0)


def test_an_expired_lease_is_a_loss_too(engine: Engine) -> None:
    ask(engine, 1)
    for _ in range(2):
        claim(engine, "silent")
        with engine.begin() as connection:
            assert queue.reap_expired(connection, now=1e12) == 1
    assert (rows(engine)[1].losses, rows(engine)[1].crashes) == (2, 0)


def test_of_a_batch_that_overran_only_the_slow_one_fails(engine: Engine) -> None:
    ask(engine, 1, 2, 3)
    claim(engine, "a")
    with engine.begin() as connection:
        assert queue.overran(connection, "a", 2.5) == []
    assert [job.item_id for job in claim(engine, "b")] == [1]
    with engine.begin() as connection:
        assert [job.item_id for job in queue.overran(connection, "b", 2.5)] == [1]
        assert queue.overran(connection, "b", 2.5) == []
    failed = rows(engine)[1]
    assert (failed.state, failed.reason, failed.owner) == ("failed", queue.TIMED_OUT, None)
    assert failed.error.startswith("took longer than 2.5 s and was ended")
    assert [job.item_id for job in claim(engine, "c")] == [2]


def test_what_is_asked_for_by_another_argument_is_done_again(engine: Engine) -> None:
    ask(engine, 1, 2, 3, 4)
    done, failing = claim(engine, "a", limit=2)
    claim(engine, "b", limit=1)
    with engine.begin() as connection:
        queue.succeed(connection, [done], "a")
        queue.fail(connection, failing, "a", "odd", "an odd item")
    ask(engine, 1, 2, 3, 4)
    assert [str(row.state) for row in rows(engine).values()] == ["todo", "failed", "doing", "todo"]
    ask(engine, 2, retry=True)
    assert rows(engine)[2].state is JobState.TODO
    (again,) = [job for job in claim(engine, "c") if job.item_id == 2]
    with engine.begin() as connection:
        queue.fail(connection, again, "c", "odd", "still an odd item")
        queue.release(connection, "c")
    ask(engine, 1, 2, 3, argument="2")
    assert [(str(row.state), row.argument) for row in rows(engine).values()] == [
        ("todo", "2"),
        ("todo", "2"),
        ("doing", "1"),
        ("todo", "1"),
    ]
    assert [job.argument for job in claim(engine, "d")] == ["2", "2", "1"]


def test_what_nobody_asks_for_any_more_is_withdrawn(engine: Engine) -> None:
    ask(engine, *range(1, 1200))
    claim(engine, "a", limit=1)
    with engine.begin() as connection:
        queue.enqueue(connection, Stage.TRAITS, [7])
        assert queue.withdraw(connection, SIGNALS, but=[5, 900]) == 1196
        left = connection.execute(sa.select(JobRow.stage, JobRow.item_id)).all()
    assert sorted(map(tuple, left)) == [
        ("signals", 1),
        ("signals", 5),
        ("signals", 900),
        ("traits", 7),
    ]
