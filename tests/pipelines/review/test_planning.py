"""`review plan`: what review will take, before anybody starts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from benchmarks.quality.known_crawls import ordinary
from benchmarks.quality.plan import foretell, report, within
from db import Decision, Review, Verdict
from pipelines.certify.certifying import CertifyRequest, certify_masks
from pipelines.doubt.fitting import LEAST_OF_EACH
from pipelines.portraits.proposals import proposals
from pipelines.review.pace import MODEL_SECONDS
from pipelines.review.planning import PlanError, PlanRequest, ReviewPlan, plan_review
from pipelines.review.push import PushRequest, push_questions
from pipelines.review.simulating import Undecided, questions_to_learn, simulate_review, truth_of
from pipelines.workspace.settings import ReviewSettings
from pipelines.workspace.workspace import Workspace
from tests.pipelines.reviewed_workspaces import NUMBER, Prepared, opened_copy
from tests.pipelines.reviewed_workspaces import _settings as _settings
from tests.pipelines.reviewed_workspaces import many as many
from tests.pipelines.reviewed_workspaces import reviewed as reviewed
from tests.pipelines.reviewed_workspaces import scored as scored
from tests.pipelines.reviewed_workspaces import workspace as workspace

LOOSE = PlanRequest(target_error=0.1, confidence=0.9)


@pytest.fixture
def ready(scored: Prepared, tmp_path: Path) -> Iterator[Workspace]:
    """60 reviewed masks, a score, and 60 more masks that nobody has seen."""
    opened, _ = opened_copy(scored, tmp_path)
    yield opened
    opened.close()


def undecided(workspace: Workspace) -> int:
    with workspace.engine.begin() as connection:
        return len(proposals(connection, (Verdict.CANDIDATE, Verdict.REVIEW)))


def steps(plan: ReviewPlan) -> dict[str, float]:
    return {each.name: each.questions.middle for each in plan.steps}


def test_before_anybody_has_looked_questions_at_random_come_first(workspace: Workspace) -> None:
    plan = plan_review(workspace, LOOSE)
    assert plan.masks == undecided(workspace) > NUMBER - 5
    assert plan.known == 0
    assert plan.learning == plan.masks  # of so few it takes all
    assert list(steps(plan)) == ["learning", "checks"]
    assert plan.unseen.high == plan.certified == 0
    assert plan.pace.seconds == MODEL_SECONDS
    assert not any(plan.pace.measured.values())


def test_nobody_is_asked_and_the_same_plan_comes_again(workspace: Workspace) -> None:
    first = plan_review(workspace, LOOSE)
    assert plan_review(workspace, LOOSE) == first
    with workspace.engine.begin() as connection:
        tables = ("review_request", "review", "certificate_attempt")
        for table in tables:
            assert connection.scalar(sa.text(f"select count(*) from {table}")) == 0


def test_with_a_score_the_plan_knows_what_people_found(ready: Workspace) -> None:
    plan = plan_review(ready, LOOSE)
    assert plan.masks == undecided(ready) > NUMBER - 5
    assert plan.known > NUMBER - 5
    assert plan.learning == 0
    assert 10 <= plan.bad.low <= 20 <= plan.bad.high <= 30  # every third one is
    assert steps(plan)["audit"] > 0
    assert plan.certified > 0.5
    assert plan.total.questions.middle < plan.without.questions.middle
    assert plan.total.questions.middle == pytest.approx(sum(steps(plan).values()), abs=6)


def test_what_certify_then_does_is_within_the_plan(ready: Workspace) -> None:
    plan = plan_review(ready, LOOSE)
    begun = certify_masks(ready, CertifyRequest(max_error=0.1, confidence=0.9, seed=3))
    audit = next(each for each in plan.steps if each.name == "audit")
    assert audit.questions.low <= begun.attempt.audit_size <= audit.questions.high
    with pytest.raises(PlanError, match="attempt 1 to certify is open"):
        plan_review(ready, LOOSE)


def test_hours_are_those_of_the_people_here(ready: Workspace) -> None:
    slow = plan_review(ready, replace(LOOSE, seconds={Decision.ACCEPT: 3600, Decision.FIX: 3600}))
    good = slow.total.questions.middle - slow.total.bad.middle
    assert slow.pace.measured[Decision.ACCEPT] == 0  # it was given
    assert slow.total.hours.middle == pytest.approx(good, rel=0.15)
    with ready.engine.begin() as connection:
        accepted = sa.update(Review).where(Review.decision == Decision.ACCEPT)
        connection.execute(accepted.values(seconds=2.0))
        one = connection.scalar(
            sa.select(Review.id).where(Review.decision == Decision.ACCEPT).limit(1)
        )
        # Somebody went for lunch.
        connection.execute(sa.update(Review).where(Review.id == one).values(seconds=3000.0))
    plan = plan_review(ready, LOOSE)
    assert plan.pace.measured[Decision.ACCEPT] > 30
    assert 2 <= plan.pace.seconds[Decision.ACCEPT] < 2.5
    assert plan.pace.of_good == {Decision.ACCEPT: 1.0}
    assert plan.pace.of_bad == {Decision.REJECT: 1.0}
    assert plan.total.hours.middle < 0.1


def test_a_score_of_another_limit_is_no_basis(ready: Workspace) -> None:
    with pytest.raises(PlanError, match=r"limit of IoU of 0\.9.*--bad-below 0\.95"):
        plan_review(ready, PlanRequest(bad_below=0.95))


def test_where_nothing_is_undecided_there_is_nothing_to_plan(
    reviewed: Prepared, tmp_path: Path
) -> None:
    opened, _ = opened_copy(reviewed, tmp_path)
    with pytest.raises(PlanError, match="no mask is undecided"):
        plan_review(opened, LOOSE)
    opened.close()


def test_masks_that_somebody_is_being_asked_about_are_not_planned_again(
    scored: Prepared, tmp_path: Path
) -> None:
    opened, gateway = opened_copy(scored, tmp_path)
    push_questions(opened, PushRequest(limit=20), gateway=gateway)
    plan = plan_review(opened, LOOSE)
    assert plan.masks == undecided(opened) < NUMBER - 10
    opened.close()


def crawl(number: int, share: float, chance: np.random.Generator) -> Undecided:
    """Masks of which the score knows much and nobody has seen one."""
    bad = np.arange(number) < share * number
    odds = chance.normal(size=number) + np.where(bad, 1.0, -5.0)
    doubt = np.sort(1 / (1 + np.exp(-odds)))
    nobody = np.zeros(0), np.zeros(0, np.bool_)
    in_test = chance.random(number) < 0.1
    return Undecided(
        doubt=doubt,
        scored=doubt,
        in_test=in_test,
        audited=np.zeros(number, np.bool_),
        seen=nobody,
        attempts=0,
    )


def test_every_mask_is_settled_once_and_an_audit_is_asked_beside() -> None:
    chance = np.random.default_rng(0)
    found = crawl(4_000, 0.1, chance)
    bad = truth_of(found, 0.02)(chance)
    ended = simulate_review(found, bad, 200, (0.02, 0.05), ReviewSettings(), chance)
    looked = {name: each.good + each.bad for name, each in ended.work.items()}
    assert ended.certified
    assert ended.unseen > 1_000
    assert looked["test"] == pytest.approx(0.9 * found.in_test.sum(), rel=0.2)
    settled = looked["learning"] + looked["doubtful"] + looked["test"] + ended.unseen
    # An audit's good masks are accepted, its bad ones are asked about once more.
    assert settled == 4_000 - ended.work["audit"].good
    nearly_all = sum(each.bad for each in ended.work.values())
    assert nearly_all >= 0.98 * bad.sum()


def test_of_a_good_crawl_it_takes_more_questions_to_learn() -> None:
    chance = np.random.default_rng(1)
    good, worse = crawl(10_000, 0.01, chance), crawl(10_000, 0.2, chance)
    needed = questions_to_learn(good, truth_of(good, 0.02), chance)
    assert needed > 4 * LEAST_OF_EACH / 0.05
    assert questions_to_learn(worse, truth_of(worse, 0.02), chance) == 200


def test_plans_come_true() -> None:
    """The small version of benchmarks/quality/plan.py."""
    chance = np.random.default_rng(2)
    found = [foretell("made", 0.05, ordinary(0.05, 1_000, chance), chance) for _ in range(12)]
    # Nine of ten, so 6 or fewer of 12 have a probability below 0.1 %.
    assert within(found, "questions") > 6 / 12
    assert within(found, "bad masks") > 6 / 12
    assert "| made | 12 |" in "\n".join(report(found))
