"""`certify` from the threshold to accepted masks: two calls, one audit, no free second chance."""

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from db import AttemptItem, AttemptState, CertificateAttempt, Decision, MaskSource, Purpose, Trust
from pipelines.certify import attempts as ledger
from pipelines.certify import certifying
from pipelines.certify.attempts import Terms, attempts, ever_audited
from pipelines.certify.certificate import upper_bound
from pipelines.certify.certifying import (
    Certification,
    CertifyError,
    CertifyRequest,
    abandon_attempt,
    certify_masks,
    void_changed,
)
from pipelines.certify.design import Outlook
from pipelines.certify.findings import findings_of
from pipelines.doubt.scoring import fit_combined_score
from pipelines.label_studio.fake import FakeGateway
from pipelines.portraits.proposals import proposals
from pipelines.releases.building import read_manifest
from pipelines.releases.exporting import ExportRequest, export_release
from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.workspace.workspace import Workspace
from tests.pipelines.review.conftest import ALL, add_revision, masks, push_all, requests, reviews
from tests.pipelines.reviewed_workspaces import Prepared, answer_all, opened_copy

TERMS = Terms(max_error=0.1, confidence=0.9, bad_below=0.9)


def certify(workspace: Workspace, terms: Terms, **more: Any) -> Certification:
    return certify_masks(workspace, CertifyRequest(**asdict(terms), **more))


@pytest.fixture
def server(scored: Prepared, tmp_path: Path) -> Iterator[tuple[Workspace, FakeGateway]]:
    workspace, gateway = opened_copy(scored, tmp_path)
    yield workspace, gateway
    workspace.close()


@pytest.fixture
def ready(server: tuple[Workspace, FakeGateway]) -> Workspace:
    """60 reviewed masks, a score, and 60 more masks that nobody has seen."""
    return server[0]


@pytest.fixture
def gateway(server: tuple[Workspace, FakeGateway]) -> FakeGateway:
    return server[1]


def certified(workspace: Workspace) -> list[int]:
    return [row.mask_id for row in reviews(workspace) if row.decision == Decision.CERTIFIED]


def test_without_a_fitted_score_there_is_nothing_to_certify(workspace: Workspace) -> None:
    with pytest.raises(CertifyError, match="scores fit --bad-below"):
        certify(workspace, TERMS)


def test_an_audit_is_asked_blind_and_its_answers_accept_the_rest(
    ready: Workspace, gateway: FakeGateway
) -> None:
    first = certify(ready, TERMS, seed=7)
    assert first.begun
    assert first.attempt.state is AttemptState.OPEN
    assert first.attempt.alpha == pytest.approx(0.05)
    assert 0 < first.attempt.audit_size < first.attempt.population <= 60
    assert "audit answers are missing" in (first.judgement.missing or "")
    assert certified(ready) == []
    again = certify(ready, TERMS, seed=8)
    assert (again.begun, again.attempt.seed) == (False, 7)

    push_all(ready, gateway, order=Order.RANDOM, limit=5)
    asked = [row for row in requests(ready) if row.purpose == Purpose.AUDIT]
    assert len(asked) == first.attempt.audit_size
    with ready.engine.begin() as connection:
        assert {row.mask_id for row in asked} == ever_audited(connection)
    new = requests(ready)[60:]
    assert [row.purpose for row in new] != sorted(row.purpose for row in new), "among the others"
    shown = {row.mask_id for row in new if row.purpose == Purpose.REVIEW}
    assert shown.isdisjoint(row.mask_id for row in asked)
    answer_all(ready, gateway)
    pull_answers(ready, gateway=gateway)

    end = certify(ready, TERMS)
    assert end.judgement.certified
    assert end.attempt.state is AttemptState.CERTIFIED
    assert end.judgement.bound <= 0.1
    accepted = certified(ready)
    assert len(accepted) == end.accepted == end.attempt.population - end.judgement.errors
    with ready.engine.begin() as connection:
        left = {each.mask_id for each in proposals(connection, ALL)}
    assert left.isdisjoint(accepted)


def test_too_many_bad_masks_end_it_and_the_next_attempt_has_half_the_alpha(
    ready: Workspace, gateway: FakeGateway
) -> None:
    first = certify(ready, TERMS, seed=1)
    push_all(ready, gateway, order=Order.RANDOM, limit=1)
    for task in gateway.tasks.values():
        if not task.annotations:
            gateway.answer(task.id, "reject")
    pull_answers(ready, gateway=gateway)
    failed = certify(ready, TERMS)
    assert failed.attempt.state is AttemptState.FAILED
    assert "cannot be certified" in (failed.attempt.message or "")
    assert certified(ready) == []
    # Its audit counts against the threshold: everything there was bad.
    with pytest.raises(CertifyError, match="no threshold promises"):
        certify(ready, TERMS)
    with ready.engine.begin() as connection:
        (only,) = attempts(connection)
    assert only.number == first.attempt.number == 1


def test_an_audit_without_an_end_in_sight_promises_no_number(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is believed of the set may say so before anybody has answered."""
    assert certify(ready, TERMS, seed=7).questions is not None
    seen = certifying.outlook

    def endless(*said: Any) -> Outlook:
        return replace(seen(*said), questions=math.inf, worth_it=False)

    monkeypatch.setattr(certifying, "outlook", endless)
    waits = certify(ready, TERMS)
    assert waits.questions is None
    assert waits.attempt.state is AttemptState.OPEN


def test_giving_up_spends_the_attempt_and_its_audit(ready: Workspace) -> None:
    with pytest.raises(CertifyError, match=r"audit of 3 of .* takes at least .* nothing was spent"):
        certify(ready, TERMS, audit=3)
    first = certify(ready, TERMS, audit=30, seed=1)
    with pytest.raises(CertifyError, match="attempt 1 is open"):
        certify(ready, Terms(0.2, 0.9, 0.9))
    abandon_attempt(ready)
    with pytest.raises(CertifyError, match="no attempt is open"):
        abandon_attempt(ready)
    second = certify(ready, Terms(0.2, 0.9, 0.9), seed=1)
    assert second.attempt.number == 2
    assert second.attempt.alpha == first.attempt.alpha / 2
    with ready.engine.begin() as connection:
        asked = [set(ledger.drawn(connection, each)) for each in attempts(connection)]
        listed = set(ledger.items(connection, second.attempt))
    assert len(asked[0]) == 30
    assert listed.isdisjoint(asked[0]), "none is fresh twice"


def test_a_new_score_or_a_replaced_mask_voids(ready: Workspace, gateway: FakeGateway) -> None:
    certify(ready, TERMS, seed=7)
    push_all(ready, gateway, order=Order.RANDOM, limit=1)
    answer_all(ready, gateway)
    pull_answers(ready, gateway=gateway)
    assert certify(ready, TERMS).judgement.certified
    assert void_changed(ready) == []
    of_mask = {row.id: row.portrait_id for row in masks(ready)}
    add_revision(ready, of_mask[certified(ready)[0]], MaskSource.HUMAN)
    assert void_changed(ready) == [], "a person's drawing replaces no network's mask"
    add_revision(ready, of_mask[certified(ready)[1]], MaskSource.STUDENT)
    assert void_changed(ready) == [1]
    assert certified(ready) == []
    with ready.engine.begin() as connection:
        assert attempts(connection)[0].message == "masks of its set were replaced or are gone"


def test_a_refit_voids_an_open_attempt(ready: Workspace) -> None:
    certify(ready, TERMS)
    fit_combined_score(ready, 0.9)
    assert void_changed(ready) == [1]


def test_a_release_holds_nothing_of_a_void_certificate(
    ready: Workspace, gateway: FakeGateway, tmp_path: Path
) -> None:
    certify(ready, TERMS, seed=7)
    push_all(ready, gateway, order=Order.RANDOM, limit=1)
    answer_all(ready, gateway)
    pull_answers(ready, gateway=gateway)
    certify(ready, TERMS)

    def released(name: str) -> int:
        found = export_release(
            ready,
            ExportRequest(out=tmp_path / name),
        )
        return sum(entry.trust is Trust.CERTIFIED for entry in found.entries)

    # One of them may have been asked about, too: then a person's word counts.
    assert released("before") in (len(certified(ready)) - 1, len(certified(ready)))
    of_mask = {row.id: row.portrait_id for row in masks(ready)}
    add_revision(ready, of_mask[certified(ready)[0]], MaskSource.STUDENT)
    assert released("after") == 0


def test_what_stands_beside_the_bound_goes_wherever_the_masks_go(
    ready: Workspace, gateway: FakeGateway, tmp_path: Path
) -> None:
    certify(ready, TERMS, seed=7)
    push_all(ready, gateway, order=Order.RANDOM, limit=40)
    answer_all(ready, gateway)
    pull_answers(ready, gateway=gateway)
    ended = certify(ready, TERMS).attempt
    assert ended.findings is not None
    beside = findings_of(ended.findings)
    assert beside.reviewers == 1
    (answerer,) = beside.answerers
    assert answerer.answers == ended.audit_size
    assert answerer.missed == beside.error_rates.missed
    assert answerer.misses_at_most == 1, "they accepted every spoilt mask"
    assert beside.true_bound == 1, "and vouch for none"
    assert beside.error_rates.missed.shown > 0, "honeypots were among the questions"
    turn = [each for each in beside.slices if each.trait == "turn"]
    assert sum(each.bad_rate.shown for each in turn) == ended.audit_size
    assert sum(each.listed for each in turn) == ended.population

    found = export_release(ready, ExportRequest(out=tmp_path / "out"))
    unseen = [each for each in found.entries if each.trust is Trust.CERTIFIED]
    seen = [each for each in found.entries if each.trust is not Trust.CERTIFIED]
    assert unseen
    assert {each.certificate and each.certificate.number for each in unseen} == {1}
    assert {each.certificate for each in seen} == {None}
    written = {each.name: each for each in read_manifest(tmp_path / "out")}
    proof = written[unseen[0].name].certificate
    assert proof is not None
    assert (proof.bound, proof.threshold, proof.audited) == (
        ended.bound,
        ended.threshold,
        ended.audit_size,
    )
    card = (tmp_path / "out" / "card.md").read_text()
    assert f"**Certificate 1** ({ended.judged_at:%Y-%m-%d}) accepted {len(unseen)} of the" in card
    looked_at = sum(each.audited for each in unseen)
    assert 0 < looked_at <= len(unseen)
    assert f"; {len(unseen) - looked_at} of them nobody has looked at" in card
    assert "the audit's reviewers overlooked" in card
    assert re.search(r"\bof \d+ slices\b", card)
    assert "least covered, " in card
    accepted = [row for row in reviews(ready) if row.decision == Decision.CERTIFIED]
    assert {row.comment for row in accepted} == {ended.in_words()}


def test_answers_count_in_the_order_of_the_draw_and_what_is_not_needed_is_taken_back(
    ready: Workspace, gateway: FakeGateway
) -> None:
    first = certify(ready, TERMS, audit=32, seed=7)
    push_all(ready, gateway, order=Order.RANDOM, limit=1)
    with ready.engine.begin() as connection:
        drawn = ledger.drawn(connection, first.attempt)
    asked = [row.mask_id for row in requests(ready) if row.purpose == Purpose.AUDIT]
    assert asked == drawn, "among the others, but as they were drawn"
    key_of = {row.mask_id: row.key for row in requests(ready) if row.purpose == Purpose.AUDIT}
    task_of = {task.key: task.id for task in gateway.tasks.values()}

    def answer(mask_ids: list[int]) -> Certification:
        for mask_id in mask_ids:
            gateway.answer(task_of[key_of[mask_id]], "accept")
        pull_answers(ready, gateway=gateway)
        return certify(ready, TERMS)

    without_first = answer(drawn[1:5])
    assert without_first.judgement.audited == 0
    assert (without_first.drawn, without_first.questions) == (0, first.questions)
    assert answer(drawn[:1]).judgement.audited == 5
    settled = answer(drawn[5:30])
    assert settled.judgement.certified, "before all were answered"
    assert settled.attempt.audit_size == settled.judgement.audited == 30
    assert settled.questions is None
    pushed = push_all(ready, gateway, order=Order.RANDOM, limit=1)
    assert pushed.withdrawn >= 2


def test_an_audit_that_an_older_version_drew_is_judged_as_it_was_drawn(
    ready: Workspace, gateway: FakeGateway
) -> None:
    certify(ready, TERMS, audit=30, seed=7)
    with ready.engine.begin() as connection:
        connection.execute(sa.update(CertificateAttempt).values(waves=None))
        connection.execute(sa.update(AttemptItem).values(stratum=None, draw=None))
    push_all(ready, gateway, order=Order.RANDOM, limit=1)
    waiting = certify(ready, TERMS)
    assert waiting.judgement.missing == "30 of 30 audit answers are missing"
    answer_all(ready, gateway)
    pull_answers(ready, gateway=gateway)
    ended = certify(ready, TERMS)
    assert ended.judgement.certified
    assert not ended.attempt.by_doubt
    exact = upper_bound(0, 30, ended.attempt.alpha, ended.attempt.population)
    assert ended.judgement.bound == exact
    assert ended.accepted == ended.attempt.population
