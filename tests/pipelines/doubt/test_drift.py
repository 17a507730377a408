"""Drift between rounds: found where there is some, and not where there is none."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from db import Image, Mask, MaskSource, Portrait, Release
from pipelines.doubt.drift import DOUBT, compare_signals, drift_between_rounds
from pipelines.workspace.workspace import Workspace
from tests.pipelines.reviewed_workspaces import NUMBER, Prepared, opened_copy


def test_a_signal_that_moved_is_found_among_those_that_did_not() -> None:
    chance = np.random.default_rng(0)
    names = [f"signal {i}" for i in range(20)]
    before = {name: chance.normal(size=300) for name in names}
    after = {name: chance.normal(size=400) for name in names}
    assert not any(each.drifted for each in compare_signals(before, after))
    after["signal 7"] += 1
    found = compare_signals(before, after)
    assert [each.signal for each in found if each.drifted] == ["signal 7"]
    assert found[0].signal == "signal 7"
    assert found[0].distance == pytest.approx(0.38, abs=0.08)  # 2 Φ(½) − 1
    assert found[0].after - found[0].before == pytest.approx(1, abs=0.3)
    assert compare_signals(before, {}) == []
    few = {"signal 7": after["signal 7"][:19], "signal 8": after["signal 8"][:20]}
    assert [each.signal for each in compare_signals(before, few)] == ["signal 8"]


def test_what_is_significant_but_near_has_not_drifted() -> None:
    chance = np.random.default_rng(1)
    before, after = chance.normal(size=20_000), chance.normal(0.1, size=20_000)
    (found,) = compare_signals({"signal": before}, {"signal": after})
    assert found.p_value < 1e-6
    assert not found.drifted


def test_false_alarms_are_as_rare_as_promised() -> None:
    chance = np.random.default_rng(2)

    def sample() -> dict[str, np.ndarray]:
        return {str(i): chance.normal(size=60) for i in range(10)}

    alarms = sum(
        any(each.drifted for each in compare_signals(sample(), sample())) for _ in range(200)
    )
    assert alarms <= 20  # 5 % of 200, and room for chance


@pytest.mark.parametrize("moved", [False, True])
def test_masks_before_and_after_a_round(scored: Prepared, tmp_path: Path, moved: bool) -> None:
    workspace, _ = opened_copy(scored, tmp_path)
    _freeze(workspace, moved=moved)
    (found,) = drift_between_rounds(workspace)
    workspace.close()
    assert (found.round, found.before, found.after) == (1, NUMBER, NUMBER)
    assert found.visible == pytest.approx(1.36 * (2 / NUMBER) ** 0.5)
    drifted = {each.signal for each in found.signals if each.drifted}
    if moved:
        assert {"confidence", DOUBT} <= drifted
    else:
        assert drifted == set()


def test_without_rounds_or_with_few_masks_there_is_nothing_to_say(workspace: Workspace) -> None:
    assert drift_between_rounds(workspace) == []
    _freeze(workspace, moved=False, after=3)
    (found,) = drift_between_rounds(workspace)
    assert (found.after, found.signals) == (3, [])


def _freeze(workspace: Workspace, *, moved: bool, after: int = NUMBER) -> None:
    """Freeze a round before the last masks; all of these are as the bad ones if they moved."""
    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(Mask.id, Mask.created_at).order_by(Mask.id)).all()
        when = max(row.created_at for row in rows) + timedelta(hours=1)
        late = [row.id for row in rows][-after:]
        bad = connection.scalar(sa.select(Mask.probability_blob).where(Mask.id == rows[0].id))
        changes = {"created_at": when + timedelta(hours=1)}
        if moved:
            changes["probability_blob"] = bad
        connection.execute(sa.update(Mask).where(Mask.id.in_(late)).values(changes))
        release = {"name": "round-1", "round": 1, "path": "releases/round-1", "format": "folder"}
        release |= {"checksum": "0" * 64, "created_at": when, "sealed_at": when}
        connection.execute(sa.insert(Release).values(release))


def test_neither_a_students_second_mask_nor_a_copy_counts_again(
    scored: Prepared, tmp_path: Path
) -> None:
    workspace, _ = opened_copy(scored, tmp_path)
    _freeze(workspace, moved=False)
    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(Mask.__table__).order_by(Mask.id)).all()
        late = max(row.created_at for row in rows)
        for row in rows[:10]:  # relabelled after the round
            values = {**row._mapping, "revision": 2, "source": MaskSource.STUDENT}
            values |= {"created_at": late}
            del values["id"]
            connection.execute(sa.insert(Mask).values(values))
        first = connection.scalar(sa.select(sa.func.min(Image.id)).join(Portrait))
        last = connection.scalar(sa.select(sa.func.max(Image.id)).join(Portrait))
        connection.execute(sa.update(Image).where(Image.id == last).values(group_id=first))
    (found,) = drift_between_rounds(workspace)
    workspace.close()
    assert (found.before, found.after) == (NUMBER, NUMBER - 1)
