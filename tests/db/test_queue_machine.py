"""Any sequence of claims, ends, deaths and renewals: no job is lost, doubled or held by two."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy.engine import Engine

from db import Job, JobRow, JobState, LeaseLostError, Stage, queue
from tests.state_machines import any_sequence

STAGE = Stage.READ
LEASE = 60.0
MAX_SOLO_CRASHES = 3
ITEMS = st.sets(st.integers(1, 8), min_size=1, max_size=4)
OWNERS = st.sampled_from(["ann", "bob", "eve"])


class QueueMachine(RuleBasedStateMachine):
    """The queue beside what ought to be in it.

    A process is known to itself as `name/life`: one that died comes back with another name, and the
    jobs it believed to hold are still tried to be ended, as by a process that was only asleep.
    """

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.now = 1e9
        self.lives: Counter[str] = Counter()
        self.believed: dict[str, dict[int, Job]] = {}
        self.held: dict[int, str] = {}
        self.asked: Counter[int] = Counter()
        self.done: Counter[int] = Counter()
        self.failed: set[int] = set()
        with self.engine.begin() as connection:
            connection.execute(sa.delete(JobRow))

    def name(self, owner: str) -> str:
        return f"{owner}/{self.lives[owner]}"

    def do(self, change: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with self.engine.begin() as connection:
            return change(connection, *arguments, **options)

    def finished(self, item: int) -> bool:
        return self.done[item] == self.asked[item] > 0 or item in self.failed

    @initialize()
    def begin(self) -> None:
        self.enqueue({1, 2, 3, 4})
        self.claim("ann", 2)

    @rule(items=ITEMS)
    def enqueue(self, items: set[int]) -> None:
        new = self.do(queue.enqueue, STAGE, items)
        assert new == sum(not self.asked[item] for item in items)
        for item in items:
            self.asked[item] = self.asked[item] or 1

    @rule(items=ITEMS)
    @precondition(lambda self: any(map(self.finished, self.asked)))
    def redo(self, items: set[int]) -> None:
        again = {item for item in items if self.finished(item)}
        assert self.do(queue.redo, STAGE, items) == len(again)
        self._afresh(again)

    @rule(items=ITEMS, argument=st.sampled_from(["a", "b"]), retry=st.booleans())
    def ask(self, items: set[int], argument: str, retry: bool) -> None:
        arguments = {row.item_id: row.argument for row in self._rows()}
        self.do(queue.ask, STAGE, sorted(items), argument, retry=retry)
        again = set()
        for item in items:
            if not self.asked[item]:
                self.asked[item] = 1
            elif item in self.failed:
                again |= {item} if retry or arguments[item] != argument else set()
            elif self.finished(item):
                again.add(item)
        self._afresh(again)

    @rule()
    @precondition(lambda self: self.failed)
    def retry_failed(self) -> None:
        assert self.do(queue.retry_failed, STAGE) == len(self.failed)
        self._afresh(set(self.failed))

    def _afresh(self, items: set[int]) -> None:
        for item in items:
            # A failed one has no result to be counted again.
            self.asked[item] += item not in self.failed
            self.failed.discard(item)

    @rule(owner=OWNERS, limit=st.integers(0, 5))
    def claim(self, owner: str, limit: int) -> None:
        name = self.name(owner)
        before = [item for item, holder in self.held.items() if holder == name]
        jobs = self.do(queue.claim, STAGE, name, limit, LEASE, now=self.now)
        assert len(jobs) <= limit
        for job in jobs:
            assert job.item_id not in self.held, "held by two"
            assert not self.finished(job.item_id)
            if job.crashes:
                assert (len(jobs), before) == (1, []), "a suspect is in company"
            self.held[job.item_id] = name
            self.believed.setdefault(name, {})[job.item_id] = job

    @rule(data=st.data(), fails=st.booleans())
    @precondition(lambda self: any(self.believed.values()))
    def end(self, data: st.DataObject, fails: bool) -> None:
        """Somebody ends some of what it believes to hold, in one transaction, dead or alive."""
        name = data.draw(st.sampled_from(sorted(n for n, jobs in self.believed.items() if jobs)))
        mine = self.believed[name]
        items = data.draw(st.sets(st.sampled_from(sorted(mine)), min_size=1))
        owns = all(self.held.get(item) == name for item in items)
        try:
            if fails:
                with self.engine.begin() as connection:
                    for item in items:
                        queue.fail(connection, mine[item], name, "odd", "an odd item")
            else:
                self.do(queue.succeed, [mine[item] for item in items], name)
        except LeaseLostError:
            assert not owns
        else:
            assert owns, "the results of two were taken"
            for item in items:
                del self.held[item]
                self.failed |= {item} if fails else set()
                self.done[item] += not fails
        for item in items:
            del mine[item]

    @rule(
        data=st.data(),
        how=st.sampled_from(["crashed", "overran", "lost", "release"]),
        by=st.none() | OWNERS,
    )
    @precondition(lambda self: self.held)
    def leave(self, data: st.DataObject, how: str, by: str | None) -> None:
        """Somebody who holds something dies, is stuck, or stops; maybe another takes over."""
        name = data.draw(st.sampled_from(sorted(set(self.held.values()))))
        owner = name.partition("/")[0]
        mine = {item for item, holder in self.held.items() if holder == name}
        match how:
            case "crashed":
                given_up = self.do(queue.crashed, name, MAX_SOLO_CRASHES)
                assert not given_up or given_up[0].crashes >= MAX_SOLO_CRASHES
            case "overran":
                given_up = self.do(queue.overran, name, 1.0)
                assert len(given_up) == (len(mine) == 1)
            case "lost":
                self._taken_back(self.do(queue.lost, name), mine)
                given_up = []
            case _:
                assert self.do(queue.release, name) == len(mine)
                given_up = []
        assert len(given_up) <= 1
        assert {job.item_id for job in given_up} <= mine
        self.failed |= {job.item_id for job in given_up}
        self._free(mine)
        self.lives[owner] += 1
        if by is not None:
            self.claim(by, 5)

    @rule(owner=OWNERS)
    @precondition(lambda self: self.held)
    def renew(self, owner: str) -> None:
        name = self.name(owner)
        held = sum(holder == name for holder in self.held.values())
        assert self.do(queue.renew, name, LEASE, now=self.now) == held

    @rule(seconds=st.sampled_from([-50.0, 1.0, 59.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        """Or a clock is set back."""
        self.now += seconds

    @precondition(lambda self: self.held)
    @rule(of=st.none() | st.sets(OWNERS))
    def reap(self, of: set[str] | None) -> None:
        names = None if of is None else {self.name(owner) for owner in of}
        expired = {
            row.item_id
            for row in self._rows()
            if row.state is JobState.DOING
            and row.lease_until < self.now
            and (names is None or row.owner in names)
        }
        self._taken_back(self.do(queue.reap_expired, self.now, of=names), expired)
        self._free(expired)

    def _taken_back(self, given_back: int, items: set[int]) -> None:
        """What was lost too often has failed instead."""
        gave_up = {row.item_id for row in self._rows() if row.reason == queue.GAVE_UP} & items
        assert given_back == len(items) - len(gave_up)
        self.failed |= gave_up

    def _free(self, items: set[int]) -> None:
        for item in items:
            del self.held[item]

    def _rows(self) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(sa.select(JobRow.__table__)))

    @invariant()
    def the_queue_is_as_it_ought_to_be(self) -> None:
        rows = {row.item_id: row for row in self._rows()}
        assert rows.keys() == {item for item in self.asked if self.asked[item]}, "lost or made up"
        for item, row in rows.items():
            expected = JobState.TODO
            if item in self.failed:
                expected = JobState.FAILED
            elif self.finished(item):
                expected = JobState.SUCCEEDED
            elif item in self.held:
                expected = JobState.DOING
            assert (row.state, row.owner) == (expected, self.held.get(item)), item
            assert self.done[item] <= self.asked[item], "done twice"

    def teardown(self) -> None:
        """Whatever happened, one last process can do the rest, and then there is none."""
        self.now += 10 * LEASE
        self.reap(None)
        for _ in range(2 * len(self.asked) + 2):
            self.claim("last", 3)
            mine = self.believed.get("last/0", {})
            if mine:
                self.do(queue.succeed, list(mine.values()), "last/0")
                for item in mine:
                    del self.held[item]
                    self.done[item] += 1
                self.believed["last/0"] = {}
        with self.engine.begin() as connection:
            assert not any(queue.pending(connection, [STAGE]))
        self.the_queue_is_as_it_ought_to_be()
        assert all(self.finished(item) for item in self.asked if self.asked[item])


@pytest.mark.parametrize(
    ("examples", "steps"),
    [(80, 30), pytest.param(500, 60, marks=[pytest.mark.campaign, pytest.mark.timeout(7200)])],
)
def test_any_sequence(engine: Engine, examples: int, steps: int) -> None:
    class OfThisEngine(QueueMachine):
        pass

    OfThisEngine.engine = engine
    any_sequence(OfThisEngine, examples, steps, always_the_same=examples == 80)
