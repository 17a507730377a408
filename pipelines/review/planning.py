"""How much work review will be, before anybody starts: simulated from what is known by now."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sqlalchemy.engine import Connection

from db import AttemptState, Decision, Verdict, reader
from pipelines.certify import attempts as ledger
from pipelines.certify.acceptable_set import looked_at
from pipelines.certify.attempts import Terms
from pipelines.doubt.scoring import KnownScore, doubts, require_score, score_masks
from pipelines.portraits.proposals import proposals
from pipelines.portraits.splits import assign_splits
from pipelines.review.pace import Pace, pace
from pipelines.review.simulating import (
    STEPS,
    Reviewed,
    Undecided,
    Work,
    questions_to_learn,
    simulate_review,
    truth_of,
)
from pipelines.workspace.defaults import BAD_BELOW, CONFIDENCE, MAX_ERROR
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace

_PROPOSED = (Verdict.CANDIDATE, Verdict.REVIEW)
_SIMULATIONS = 40


class PlanError(PipelineError):
    """There is nothing to plan; the message says why."""


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What is to be reached.

    Attributes:
        target_error: at most this share of what a certificate accepts is bad.
        confidence: that it is so.
        bad_below: IoU under which a fixed mask was bad.
        seconds: that a decision takes, by kind, whatever was measured.
        seed: of the simulation.
    """

    target_error: float = MAX_ERROR
    confidence: float = CONFIDENCE
    bad_below: float = BAD_BELOW
    seconds: Mapping[Decision, float] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Span:
    """What it will probably be: the middle, and ends that nine of ten simulations are within.

    Attributes:
        low: a twentieth is below.
        middle: half is.
        high: a twentieth is above.
    """

    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """One kind of questions.

    Attributes:
        name: one of `simulating.STEPS`, or `all`.
        questions: how many.
        bad: masks among them that are bad.
        hours: of people.
    """

    name: str
    questions: Span
    bad: Span
    hours: Span


@dataclass(frozen=True, kw_only=True)
class ReviewPlan:
    """What review will take.

    Attributes:
        target_error: as it was asked for.
        confidence: likewise.
        masks: undecided ones, each of which people or a certificate would settle.
        bad: how many of them are.
        known: masks that chance chose and people looked at, from which that is known; 0: they are
            too few, and the score is taken at its word.
        learning: questions to be asked at random before a score can be fitted; 0: there is one.
        steps: in the order in which they come; those without questions are left out.
        total: all of them.
        without: if every mask is looked at and none is certified.
        unseen: masks that a certificate accepts and nobody looks at.
        certified: share of the simulations in which there is a certificate.
        pace: seconds and habits of the reviewers.
    """

    target_error: float
    confidence: float
    masks: int
    bad: Span
    known: int
    learning: int
    steps: list[Step]
    total: Step
    without: Step
    unseen: Span
    certified: float
    pace: Pace

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def plan_review(
    workspace: Workspace, request: PlanRequest, progress: Progress = SILENT
) -> ReviewPlan:
    """Simulate review from here to the end.

    Masks are scored and photos get their split, as the next push would do it; nobody is asked.

    Args:
        workspace: opened.
        request: what is to be reached.
        progress: told of every simulation.

    Raises:
        PlanError: nothing is undecided, an attempt to certify is open, or the score was fitted with
            another limit of IoU.
        WorkspaceError: a blob is missing or damaged.
    """
    progress.begin("scoring", None, "masks")
    score_masks(workspace)
    assign_splits(workspace)
    score = require_score(workspace)
    if score.kind != "default" and score.bad_below != request.bad_below:
        raise PlanError(
            f"the score was fitted with a limit of IoU of {score.bad_below:g}: plan with the same "
            f"(--bad-below {score.bad_below:g}), or run "
            f"`dataengine scores fit --bad-below {request.bad_below:g}`"
        )
    with reader(workspace.engine).begin() as connection:
        found = _undecided(workspace, connection, score, request)
        people = pace(connection, request.bad_below, request.seconds)
    chance = np.random.default_rng(request.seed)
    truth = truth_of(found, request.target_error)
    learning = questions_to_learn(found, truth, chance) if score.kind == "default" else 0
    bound = request.target_error, 1 - request.confidence
    settings = workspace.settings.review
    simulated = []
    progress.begin("simulating", _SIMULATIONS, "crawls")
    for _ in range(_SIMULATIONS):
        simulated.append(simulate_review(found, truth(chance), learning, bound, settings, chance))
        progress.advance(1)
    return _plan(request, found, simulated, learning, people)


def _undecided(
    workspace: Workspace, connection: Connection, score: KnownScore, request: PlanRequest
) -> Undecided:
    known = ledger.attempts(connection)
    for each in known:
        if each.state is AttemptState.OPEN:
            raise PlanError(
                f"attempt {each.number} to certify is open, and its answers decide about what is "
                "left to do: `dataengine certify` says how many are still missing"
            )
    said = doubts(connection, score.id)
    before = ledger.ever_audited(connection)
    # What cannot be scored is as doubtful as can be.
    masks = sorted(
        (said.get(each.mask_id, 1.0), each.in_test, each.mask_id in before)
        for each in proposals(connection, _PROPOSED)
    )
    if not masks:
        raise PlanError("no mask is undecided: there is nothing to plan")
    terms = Terms(request.target_error, request.confidence, request.bad_below)
    return Undecided(
        doubt=np.array([doubt for doubt, _, _ in masks]),
        scored=np.sort(np.fromiter(said.values(), np.float64)),
        in_test=np.array([in_test for _, in_test, _ in masks]),
        audited=np.array([audited for _, _, audited in masks]),
        seen=looked_at(workspace, connection, score, terms, known),
        attempts=len(known),
    )


def _plan(
    request: PlanRequest,
    found: Undecided,
    simulated: list[Reviewed],
    learning: int,
    people: Pace,
) -> ReviewPlan:
    def step(name: str, of: list[Work]) -> Step:
        good_hours, bad_hours = people.good_seconds / 3600, people.bad_seconds / 3600
        return Step(
            name=name,
            questions=_span(each.good + each.bad for each in of),
            bad=_span(each.bad for each in of),
            hours=_span(each.good * good_hours + each.bad * bad_hours for each in of),
        )

    steps = [step(name, [each.work[name] for each in simulated]) for name in STEPS]
    none = Work(good=0, bad=0)
    return ReviewPlan(
        target_error=request.target_error,
        confidence=request.confidence,
        masks=len(found.doubt),
        bad=_span(each.bad for each in simulated),
        known=found.known,
        learning=learning,
        steps=[each for each in steps if each.questions.high],
        total=step("all", [sum(each.work.values(), start=none) for each in simulated]),
        without=step("all", [each.without for each in simulated]),
        unseen=_span(each.unseen for each in simulated),
        certified=float(np.mean([each.certified for each in simulated])),
        pace=people,
    )


def _span(values: Iterable[float]) -> Span:
    low, middle, high = np.quantile(np.fromiter(values, np.float64), (0.05, 0.5, 0.95))
    return Span(float(low), float(middle), float(high))
