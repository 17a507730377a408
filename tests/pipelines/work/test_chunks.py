"""Chunks: as many batches as take some seconds, and what becomes of one that its worker dies of."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import JobRow, Stage, queue
from pipelines.work import chunks
from pipelines.work.chunks import MOST, ChunkSizes
from pipelines.work.pool import Pool, order_for
from pipelines.work.stage import Committed
from pipelines.workspace.settings import EngineSettings, Settings
from pipelines.workspace.workspace import Workspace, make_workspace
from tests.pipelines.work.stages import ToldWork, told_stages


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds that it shows."""
    shown = [0.0]
    with monkeypatch.context() as patch:
        patch.setattr(chunks.time, "perf_counter", lambda: shown[0])  # type: ignore[attr-defined]
        yield shown


def sizes_after(clock: list[float], seconds: float, an_item: float, chunks_done: int) -> list[int]:
    work, sizes = ToldWork(Path()), ChunkSizes(seconds)
    found = [sizes.of(work)]
    for _ in range(chunks_done):
        with sizes.timed(work, sizes.of(work)):
            clock[0] += an_item * sizes.of(work)
        found.append(sizes.of(work))
    return found


@pytest.mark.parametrize(
    ("seconds", "an_item", "expected"),
    [
        (5.0, 0.25, [4, 16, 20, 20]),  # whole batches of 4
        (5.0, 2.0, [4, 4, 4, 4]),  # never less than one
        (5.0, 1e-6, [4, 16, 64, 256]),
        (0.0, 1e-6, [4, 4, 4, 4]),
    ],
)
def test_a_chunk_takes_the_seconds_asked_for(
    clock: list[float], seconds: float, an_item: float, expected: list[int]
) -> None:
    assert sizes_after(clock, seconds, an_item, 3) == expected


def test_a_chunk_has_an_end(clock: list[float]) -> None:
    assert sizes_after(clock, 5.0, 1e-6, 9)[-1] == MOST


def test_a_dead_worker_is_blamed_on_its_batch_alone(tmp_path: Path) -> None:
    make_workspace(tmp_path / "ws", "")
    workspace = Workspace(tmp_path / "ws", Settings())
    poison = 150
    with workspace.engine.begin() as connection:
        queue.enqueue(connection, Stage.READ, [i for i in range(1, 301) if i != poison], "")
        queue.enqueue(connection, Stage.READ, [poison], "die")
    order = order_for(EngineSettings(), told_stages, workspace.reopener(), ())
    order = replace(order, chunk_seconds=5.0)
    reports: list[Committed] = []
    Pool(workspace, order, 1).run(lambda: False, reports.append)
    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(JobRow.item_id, JobRow.state, JobRow.crashes)).all()
    workspace.close()
    assert {row.item_id for row in rows if row.state != "succeeded"} == {poison}
    assert {row.crashes for row in rows if row.item_id != poison} == {0, 1}
    assert sum(row.crashes > 0 for row in rows) <= ToldWork.batch_size
    assert max(each.done for each in reports) > ToldWork.batch_size, "several batches, one commit"
    assert sum(each.done for each in reports) == 299
