"""Who works, for so much work, on so many cores and GPUs."""

import os

import pytest

from pipelines.work import members
from pipelines.work.crew import Crew, crew
from pipelines.work.pool import Pool
from pipelines.work.stage import Order
from pipelines.workspace.settings import EngineSettings


@pytest.mark.parametrize(
    ("workers", "cores", "gpus", "items", "expected"),
    [
        (None, 2, 0, 1000, Crew(2, 1)),
        (None, 8, 0, 1000, Crew(8, 1)),
        (None, 8, 0, 11, Crew(2, 4)),  # no more workers than there is work for
        (None, 8, 0, 4, Crew(1, 8)),
        (None, 8, 0, 3, Crew(0, 1)),
        (0, 8, 0, 1000, Crew(0, 8)),
        (5, 8, 0, 1, Crew(5, 1)),
        (None, 16, 1, 1000, Crew(1, 16, gpus=1)),  # one process a GPU, not a core
        (None, 16, 4, 1000, Crew(4, 4, gpus=4)),
        (None, 16, 4, 5, Crew(1, 16, gpus=4)),
        (None, 2, 4, 1000, Crew(4, 1, gpus=4)),
        (2, 16, 4, 1000, Crew(2, 8, gpus=4)),
    ],
)
def test_the_plan(
    monkeypatch: pytest.MonkeyPatch,
    workers: int | None,
    cores: int,
    gpus: int,
    items: int,
    expected: Crew,
) -> None:
    monkeypatch.setattr("sinet.batching.cores", lambda: cores)
    assert crew(EngineSettings(workers=workers), items, 4, gpus=gpus) == expected


class _Idle:
    """A member of which nothing but its order is asked."""

    error = None

    def __init__(self, order: Order) -> None:
        self.order = order


def test_every_gpu_has_its_process_and_gets_another_when_that_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.work.pool.ProcessMember", _Idle)
    order = Order(
        open=lambda: None,  # type: ignore[arg-type,return-value]
        table=lambda *_: (),
        threads=4,
        lease_seconds=9,
        item_seconds=9,
    )
    pool = Pool(None, order, workers=3, gpus=3)  # type: ignore[arg-type]
    for _ in range(3):
        pool._watched.append(pool._start())
    assert [each.gpu for each in pool._watched] == [0, 1, 2]
    assert [each.member.order.gpu for each in pool._watched] == [0, 1, 2]  # type: ignore[attr-defined]
    del pool._watched[1]
    assert pool._start().gpu == 1


@pytest.mark.parametrize(
    ("visible", "shown"), [(None, "2"), ("", "2"), ("4,5,6", "6"), ("GPU-a,GPU-b,GPU-c", "GPU-c")]
)
def test_a_worker_sees_its_gpu_alone(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, shown: str
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    members._show_one_gpu(2)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == shown
