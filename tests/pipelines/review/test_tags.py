"""Tags of a gallery: each comes back once, with its author, and asks or decides as it says."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from db import Decision, GalleryTag, MaskSource, Purpose, RequestState, Review, reader
from pipelines.label_studio.fake import FakeGateway
from pipelines.lineage.forgetting import remove_photos
from pipelines.portraits.decisions import decided, votes
from pipelines.portraits.proposals import proposals
from pipelines.portraits.standing import MinSource, standings
from pipelines.review import tags as module
from pipelines.review.pull import pull_answers
from pipelines.review.status import review_status
from pipelines.review.tag_journal import keep_in_journal, read_journal
from pipelines.review.tags import PulledTags, pull_tags
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace
from tests.pipelines.review.conftest import (
    ALL,
    Ask,
    add_revision,
    masks,
    requests,
    reviews,
    stroke,
)

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Journal:
    """A gallery that somebody tags in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, mask_id: int, tag: str, at: datetime = NOON) -> str:
        key = secrets.token_hex(16)
        self.write({"key": key, "mask": mask_id, "tag": tag, "at": at.isoformat()})
        return key

    def remove(self, key: str) -> None:
        self.write({"key": key, "removed_at": (NOON + timedelta(hours=1)).isoformat()})

    def write(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


Pull = Callable[..., PulledTags]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "tags.jsonl")


@pytest.fixture
def pull(workspace: Workspace, journal: Journal) -> Pull:
    return lambda by="ann@example.org": pull_tags(workspace, journal.path, by)


def noted(workspace: Workspace) -> list[sa.Row[Any]]:
    with workspace.engine.begin() as connection:
        return list(connection.execute(sa.select(GalleryTag.__table__).order_by(GalleryTag.id)))


def test_a_reject_is_a_decision_of_whoever_set_it(
    workspace: Workspace, journal: Journal, pull: Pull
) -> None:
    mask = masks(workspace)[0]
    journal.set(mask.id, "reject")
    assert pull().tags == {"reject": 1}
    (review,) = reviews(workspace)
    assert (review.mask_id, review.decision) == (mask.id, Decision.REJECT)
    assert (review.reviewer, review.decided_at) == ("ann@example.org", NOON)
    with reader(workspace.engine).begin() as connection:
        assert decided(connection) == {mask.id: Decision.REJECT}
        (vote,) = votes(connection)[mask.id]
        assert not vote.is_rule
        assert standings(connection, MinSource.ANY)[mask.portrait_id].rejected
        assert mask.id not in {each.mask_id for each in proposals(connection, ALL)}
    assert review_status(workspace).reviewers["ann@example.org"].decisions == {"reject": 1}


def test_pulling_again_changes_nothing_whoever_does_it(
    workspace: Workspace, journal: Journal, pull: Pull
) -> None:
    for mask, tag in zip(masks(workspace), ("reject", "review", "fix"), strict=True):
        journal.set(mask.id, tag)
    assert pull().tags == {"reject": 1, "review": 1, "fix": 1}
    before = (noted(workspace), reviews(workspace, standing=False))
    assert pull(by="ben") == pull() == PulledTags()
    assert (noted(workspace), reviews(workspace, standing=False)) == before


def test_a_kill_between_leaves_all_or_nothing(
    workspace: Workspace, journal: Journal, pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mask in masks(workspace):
        journal.set(mask.id, "reject")
    added: list[str] = []
    add = module._add

    def dies(connection: Any, tag: Any, *arguments: Any, **options: Any) -> None:
        add(connection, tag, *arguments, **options)
        added.append(tag.key)
        if len(added) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_add", dies)
        with pytest.raises(KeyboardInterrupt):
            pull()
    assert (noted(workspace), reviews(workspace)) == ([], [])
    assert pull().tags == {"reject": 3}


def test_what_is_taken_away_is_taken_back_and_may_be_set_again(
    workspace: Workspace, journal: Journal, pull: Pull
) -> None:
    mask = masks(workspace)[0]
    key = journal.set(mask.id, "reject")
    pull()
    journal.remove(key)
    assert pull().withdrawn == 1
    assert reviews(workspace) == []
    assert pull() == PulledTags()
    journal.set(mask.id, "reject", NOON + timedelta(hours=2))
    assert pull().tags == {"reject": 1}
    assert len(reviews(workspace)) == 1


def test_what_was_set_and_taken_away_between_two_pulls_was_never_said(
    workspace: Workspace, journal: Journal, pull: Pull
) -> None:
    journal.remove(journal.set(masks(workspace)[0].id, "reject"))
    assert pull() == PulledTags()
    assert noted(workspace) == []


def test_a_mask_that_was_replaced_meanwhile_is_left_alone(
    workspace: Workspace, journal: Journal, pull: Pull
) -> None:
    first = masks(workspace)[0]
    journal.set(first.id, "reject")
    add_revision(workspace, first.portrait_id, MaskSource.STUDENT)
    assert pull() == PulledTags(outdated=1)
    assert reviews(workspace) == []
    assert pull() == PulledTags()


def test_forgotten_portraits_and_other_tags_are_counted(
    workspace: Workspace, journal: Journal, pull: Pull
) -> None:
    first, second, _ = masks(workspace)
    journal.set(first.id, "reject")
    journal.set(second.id, "reject")
    pull()
    journal.set(first.id, "fix")
    journal.set(second.id, "<img src=x onerror=alert(1)> '; DROP TABLE review; --")
    journal.set(10**15, "fix")
    with reader(workspace.engine).begin() as connection:
        query = sa.text("SELECT image_id FROM portrait WHERE id = :id")
        image = connection.scalar(query, {"id": first.portrait_id})
    remove_photos(workspace, [image])
    assert pull() == PulledTags(gone=3, other=1)
    (left,) = reviews(workspace)
    assert left.mask_id == second.id
    keep_in_journal(journal.path, [mask.id for mask in masks(workspace)])
    assert pull() == PulledTags(other=1)
    assert {tag.mask_id for tag in read_journal(journal.path)} == {second.id}


def test_keeping_a_journal_keeps_what_was_taken_away(journal: Journal) -> None:
    journal.remove(journal.set(1, "reject"))
    journal.set(2, "fix")
    journal.set(3, "fix")
    before = read_journal(journal.path)
    keep_in_journal(journal.path, [1, 2])
    assert read_journal(journal.path) == before[:2]


def test_two_people_may_disagree_and_a_person_outvotes_a_certificate(
    workspace: Workspace, journal: Journal, pull: Pull
) -> None:
    mask = masks(workspace)[0]
    accepted = {"mask_id": mask.id, "decided_at": NOON}
    with workspace.engine.begin() as connection:
        connection.execute(
            sa.insert(Review).values(
                **accepted, decision=Decision.CERTIFIED, reviewer="certificate 1"
            )
        )
    journal.set(mask.id, "reject")
    pull()
    with reader(workspace.engine).begin() as connection:
        assert decided(connection) == {mask.id: Decision.REJECT}
    with workspace.engine.begin() as connection:
        connection.execute(
            sa.insert(Review).values(**accepted, decision=Decision.ACCEPT, reviewer="ben")
        )
        assert decided(connection) == {mask.id: None}


def test_a_drawn_mask_that_is_rejected_is_trusted_no_more(
    workspace: Workspace, journal: Journal, pull: Pull, ask: Ask, gateway: FakeGateway
) -> None:
    ask(limit=1)
    (task,) = gateway.tasks
    (question,) = requests(workspace)
    with workspace.engine.begin() as connection:
        query = sa.text("SELECT width, height FROM portrait WHERE id = :id")
        width, height = connection.execute(query, {"id": question.portrait_id}).one()
    gateway.answer(task, "fix", regions=[stroke(width, height)])
    pull_answers(workspace, gateway=gateway)
    drawn = [mask for mask in masks(workspace) if mask.portrait_id == question.portrait_id][-1]
    assert drawn.source is MaskSource.HUMAN
    journal.set(drawn.id, "reject")
    pull(by="ben")
    with reader(workspace.engine).begin() as connection:
        standing = standings(connection, MinSource.ANY)[question.portrait_id]
    assert standing.trusted is None
    assert standing.rejected


def test_what_was_called_for_is_asked_next_and_first(
    workspace: Workspace, journal: Journal, pull: Pull, ask: Ask, gateway: FakeGateway
) -> None:
    first, second, third = masks(workspace)
    journal.set(second.id, "review")
    journal.set(third.id, "fix", NOON + timedelta(minutes=1))
    pull()
    # No verdict is asked for: what somebody has looked at comes whatever the checks say.
    ask(limit=2, verdicts=[])
    asked = requests(workspace)
    assert [(each.mask_id, each.purpose) for each in asked] == [
        (third.id, Purpose.REVIEW), (second.id, Purpose.REVIEW),
    ]  # fmt: skip
    assert not any(each.drawn_at_random for each in asked)
    assert {each.request_id for each in noted(workspace)} == {each.id for each in asked}
    ask(limit=3)
    assert [each.mask_id for each in requests(workspace)][2:] == [first.id]


def test_what_is_decided_is_asked_again_if_somebody_calls_for_it(
    workspace: Workspace, journal: Journal, pull: Pull, ask: Ask, gateway: FakeGateway
) -> None:
    ask(limit=1)
    (task,) = gateway.tasks
    gateway.answer(task, "accept")
    pull_answers(workspace, gateway=gateway)
    (done,) = requests(workspace)
    journal.set(done.mask_id, "review")
    pull()
    ask(limit=1)
    again = requests(workspace)[-1]
    assert (again.mask_id, again.replicate, again.state) == (done.mask_id, 1, RequestState.SENT)


def test_a_call_for_what_is_being_asked_is_met(
    workspace: Workspace, journal: Journal, pull: Pull, ask: Ask
) -> None:
    ask(limit=1)
    (question,) = requests(workspace)
    journal.set(question.mask_id, "fix")
    pull()
    ask(limit=0)
    assert len(requests(workspace)) == 1
    assert noted(workspace)[0].request_id == question.id


def test_a_call_that_is_taken_back_or_outdated_is_not_asked(
    workspace: Workspace, journal: Journal, pull: Pull, ask: Ask
) -> None:
    first, second, _ = masks(workspace)
    key = journal.set(first.id, "review")
    journal.set(second.id, "fix")
    pull()
    journal.remove(key)
    pull()
    add_revision(workspace, second.portrait_id, MaskSource.STUDENT)
    ask(limit=1, verdicts=[])
    assert [each for each in requests(workspace) if each.mask_id in (first.id, second.id)] == []


@pytest.mark.parametrize("by", ["", "  ", "a\nb", "x" * 201, "certificate 3", "Certificate"])
def test_names_that_nobody_has(pull: Pull, by: str) -> None:
    with pytest.raises(PipelineError, match="--by"):
        pull(by=by)


@pytest.mark.parametrize(
    "line",
    [
        b"x", b"[]", b"{}", b"\xff", b"[" * 5000, b'{"key": 1}',
        b'{"key": "%s", "mask": 1, "tag": "fix", "at": "2026-01-01"}' % (b"a" * 32),
        b'{"key": "%s", "mask": true, "tag": "fix", "at": "2026-01-01T00:00:00Z"}' % (b"a" * 32),
        b'{"key": "%s", "mask": 1e99, "tag": "fix", "at": "2026-01-01T00:00:00Z"}' % (b"a" * 32),
        b'{"key": "%s", "mask": 1, "tag": 7, "at": "2026-01-01T00:00:00Z"}' % (b"a" * 32),
        b'{"key": "../../etc", "mask": 1, "tag": "fix", "at": "2026-01-01T00:00:00Z"}',
        b'{"key": "%s", "removed_at": "2026-01-01T00:00:00Z"}' % (b"b" * 32),
    ],
)  # fmt: skip
def test_a_line_that_no_gallery_wrote_is_named(journal: Journal, line: bytes) -> None:
    journal.set(1, "fix")
    with journal.path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(PipelineError, match=r"tags\.jsonl, line 2: no gallery wrote this"):
        read_journal(journal.path)


def test_a_line_that_was_cut_off_is_not_there_yet(journal: Journal) -> None:
    journal.set(1, "fix")
    whole = read_journal(journal.path)
    with journal.path.open("ab") as file:
        file.write(b'{"key": "aaaa')
    assert read_journal(journal.path) == whole


def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "tags.jsonl").mkdir()
    with pytest.raises(PipelineError, match=r"tags\.jsonl: cannot be read"):
        read_journal(tmp_path / "tags.jsonl")
