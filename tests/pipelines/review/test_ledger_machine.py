"""Any sequence of pushes, answers, faults and kills: no question is doubled, no answer lost."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from db import MaskSource
from pipelines.label_studio.errors import ReviewError
from pipelines.label_studio.fake import FakeGateway, FakeTask, Fault
from pipelines.label_studio.gateway import NewTask
from pipelines.review.pull import pull_answers
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl
from tests.pipelines.review.conftest import (
    add_revision,
    masks,
    multiply,
    push_all,
    requests,
    reviews,
    stroke,
)
from tests.state_machines import any_sequence

PORTRAITS = 6
OPTIONS = {
    "review": {
        "settle_seconds": 0.0,
        "random_share": 0.0,
        "recheck_share": 0.0,
        "honeypot_share": 0.0,
    }
}
PEOPLE = st.sampled_from(["ann@example.org", "bob@example.org"])
DECISIONS = st.sampled_from(["accept", "reject", "fix", "skip"])
FAULTS = st.sampled_from([Fault.UNREACHABLE, Fault.RESET, Fault.LOST, Fault.TWICE])
METHODS = st.sampled_from(["import_tasks", "find_tasks", "updated_tasks", "create_project"])
KILLS = st.none() | st.integers(1, 25)


class Killed(BaseException):
    """As a SIGKILL: nothing after it happens, and what was not committed never was."""


class LedgerMachine(RuleBasedStateMachine):
    """A workspace, a server, people who answer, and processes that are killed between two steps."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.root = Path(shutil.copytree(self.template, Path(self.folder.name) / "ws"))
        self.server = FakeGateway()
        self.steps_left: int | None = None
        self.workspace = self._open()
        for name in ("import_tasks", "find_tasks", "updated_tasks", "delete_task"):
            self._step_around(name)

    def _open(self) -> Workspace:
        workspace = Workspace(self.root, load_settings(self.root, OPTIONS))
        sa.event.listen(workspace.engine, "commit", lambda _: self._step())
        return workspace

    def _step_around(self, name: str) -> None:
        """A process may die before the server hears of it, or before it hears of the server."""
        real = getattr(self.server, name)

        def around(*arguments: Any) -> Any:
            self._step()
            answer = real(*arguments)
            self._step()
            return answer

        setattr(self.server, name, around)

    def _step(self) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left == 0:
                raise Killed

    def _process(self, kill: int | None, work: Callable[[], object]) -> bool:
        """Work that is killed at a step; then another process opens the workspace."""
        self.steps_left = kill
        try:
            work()
        except ReviewError:
            return False
        except Killed:
            self.steps_left = None
            self.workspace.close()
            self.workspace = self._open()
            return False
        finally:
            self.steps_left = None
        return True

    @rule(kill=KILLS, limit=st.none() | st.integers(1, 3), batch=st.integers(1, 4))
    def push(self, kill: int | None, limit: int | None, batch: int) -> None:
        self._process(kill, lambda: push_all(self.workspace, self.server, limit=limit, batch=batch))

    @rule(kill=KILLS)
    def pull(self, kill: int | None) -> None:
        self._process(kill, lambda: pull_answers(self.workspace, gateway=self.server))

    @rule(method=METHODS, fault=FAULTS)
    def trouble_ahead(self, method: str, fault: Fault) -> None:
        self.server.fail(method, fault)

    @rule(data=st.data(), person=PEOPLE, decision=DECISIONS)
    @precondition(lambda self: self.server.tasks)
    def answer(self, data: st.DataObject, person: str, decision: str) -> None:
        task = self._some_task(data)
        if task.mask is None:
            return
        drawn = [task.mask, stroke(task.mask.width, task.mask.height)]
        self.server.answer(
            task.id,
            None if decision == "skip" else decision,
            reviewer=person,
            skipped=decision == "skip",
            regions=drawn if decision == "fix" else None,
        )

    @rule(data=st.data(), decision=st.sampled_from(["accept", "reject"]))
    @precondition(lambda self: any(each.annotations for each in self.server.tasks.values()))
    def change_an_answer(self, data: st.DataObject, decision: str) -> None:
        task = self._some_task(data, answered=True)
        annotation = data.draw(st.sampled_from(task.annotations))
        self.server.edit(
            task.id, annotation.id, choices={"decision": [decision]}, skipped=False,
            regions=[task.mask] if task.mask else [],
        )  # fmt: skip

    @rule(data=st.data())
    @precondition(lambda self: any(each.annotations for each in self.server.tasks.values()))
    def delete_an_answer(self, data: st.DataObject) -> None:
        task = self._some_task(data, answered=True)
        self.server.delete_answer(task.id, data.draw(st.sampled_from(task.annotations)).id)

    @rule(data=st.data())
    @precondition(lambda self: any(not each.annotations for each in self.server.tasks.values()))
    def delete_a_task(self, data: st.DataObject) -> None:
        """By hand, on the server, before anybody answered it."""
        waiting = [each.id for each in self.server.tasks.values() if not each.annotations]
        del self.server.tasks[data.draw(st.sampled_from(sorted(waiting)))]

    @rule()
    @precondition(lambda self: self.server.projects)
    def foreign_task(self) -> None:
        project = min(self.server.projects)
        FakeGateway._import(
            self.server, project, [NewTask("f" * 32, "/data/x.jpg", stroke(90, 120))]
        )

    @rule(portrait=st.integers(1, 3))
    def new_mask(self, portrait: int) -> None:
        add_revision(self.workspace, portrait, MaskSource.STUDENT)

    def _some_task(self, data: st.DataObject, *, answered: bool = False) -> FakeTask:
        tasks = self.server.tasks
        ids = [key for key, each in tasks.items() if each.annotations or not answered]
        return tasks[data.draw(st.sampled_from(sorted(ids)))]

    @invariant()
    def nothing_is_doubled(self) -> None:
        asked = Counter((each.mask_id, each.purpose, each.replicate) for each in self._requests())
        assert not asked or max(asked.values()) == 1, "a question was asked twice"
        taken = Counter(
            (each.request_id, each.annotation_id, each.annotation_updated_at)
            for each in reviews(self.workspace, standing=False)
        )
        assert not taken or max(taken.values()) == 1, "an answer was counted twice"
        fixed = [each.fixed_mask_id for each in reviews(self.workspace) if each.fixed_mask_id]
        assert len(fixed) == len(set(fixed))

    def _requests(self) -> list[Any]:
        return requests(self.workspace)

    def teardown(self) -> None:
        """Once everybody answers, all is as if nothing had ever gone wrong."""
        self.server._faults.clear()
        for work in (self._push_all, self._pull, self._push_all, self._pull):
            assert self._process(None, work)
        known = {each.key: each for each in self._requests()}
        ours = [each for each in self.server.tasks.values() if each.key in known]
        for key, number in Counter(each.key for each in ours).items():
            assert number == 1 or known[key].problem or self._both_answered(ours, key), "doubled"
        stands = {
            (each.annotation_id, each.annotation_updated_at): each
            for each in reviews(self.workspace)
        }
        given = {
            (each.id, each.updated_at): each
            for task in ours
            if known[task.key].task_id == task.id
            for each in task.annotations
            if not each.skipped
        }
        assert stands.keys() == given.keys(), "an answer was lost, or one that is gone counts"
        for state, annotation in given.items():
            assert [stands[state].decision] == list(annotation.choices["decision"])
            assert stands[state].reviewer == annotation.reviewer
        latest = {each.portrait_id: each.id for each in masks(self.workspace)}
        asked = {each.portrait_id for each in self._requests()}
        assert asked == latest.keys(), "a portrait was never asked about"
        self.workspace.close()
        self.folder.cleanup()

    def _push_all(self) -> None:
        push_all(self.workspace, self.server)

    def _pull(self) -> None:
        pull_answers(self.workspace, gateway=self.server)

    def _both_answered(self, tasks: list[FakeTask], key: str) -> bool:
        """Of two tasks that people worked on, none is removed: `pull` tells of them."""
        return sum(bool(each.annotations) for each in tasks if each.key == key) > 1


@pytest.mark.parametrize(
    ("examples", "steps"),
    [(8, 20), pytest.param(100, 40, marks=[pytest.mark.campaign, pytest.mark.timeout(7200)])],
)
def test_any_sequence(
    ingested: Crawl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: int, steps: int
) -> None:
    monkeypatch.setattr("pipelines.review.sending._LOOK_AGAIN_SECONDS", 0.001)
    template = Path(shutil.copytree(ingested.workspace, tmp_path / "template"))
    workspace = Workspace(template, load_settings(template))
    multiply(workspace, PORTRAITS)
    workspace.close()

    class OfThisTemplate(LedgerMachine):
        pass

    OfThisTemplate.template = template
    any_sequence(OfThisTemplate, examples, steps, always_the_same=examples == 8)
