"""`dataengine review plan`."""

from typing import Annotated

import typer

from pipelines.workspace.defaults import BAD_BELOW, CONFIDENCE, MAX_ERROR

EPILOG = """
**Examples**

    dataengine review plan --target-error 0.02
    dataengine review plan --target-error 0.05 --fix-seconds 20
    dataengine review plan --json | jq .total.hours.middle
"""


def plan(
    context: typer.Context,
    target_error: Annotated[
        float,
        typer.Option(
            min=0.0001,
            max=0.5,
            metavar="SHARE",
            help="At most this share of the accepted is bad; as `certify --max-error`.",
        ),
    ] = MAX_ERROR,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, help="That it is so.")] = (
        CONFIDENCE
    ),
    bad_below: Annotated[
        float,
        typer.Option(
            min=0.01, max=1, metavar="IOU", help="A fixed mask was bad if its IoU is below this."
        ),
    ] = BAD_BELOW,
    accept_seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="That accepting a mask takes.", show_default="as measured, or a model's"
        ),
    ] = None,
    reject_seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="That rejecting one takes.", show_default="likewise"),
    ] = None,
    fix_seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="That fixing one takes.", show_default="likewise"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Tell how many questions review will take, of which kinds, and how many hours of people.

    Nobody is asked anything. Review is simulated from here until every mask is accepted, rejected
    or fixed: questions at random that teach the score, audits (`certify`), the masks that no
    audit accepts, the test split, and the checks of reviewers. Which masks are bad is made up, by
    the ones that people have looked at, or, before anybody has, by the score. Seconds are those of
    the reviewers here, once each kind of decision was taken ten times; until then, a model's.
    """
    import pipelines
    from dataengine.console.review.plan import print_plan
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened
    from db import Decision

    given = {
        Decision.ACCEPT: accept_seconds,
        Decision.REJECT: reject_seconds,
        Decision.FIX: fix_seconds,
    }
    request = pipelines.PlanRequest(
        target_error=target_error,
        confidence=confidence,
        bad_below=bad_below,
        seconds={kind: seconds for kind, seconds in given.items() if seconds is not None},
        seed=seed,
    )
    with opened(context) as workspace, shown_progress() as progress:
        found = pipelines.plan_review(workspace, request, progress)
    print_plan(found, as_json=json)
