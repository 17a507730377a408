"""`dataengine review push`."""

from typing import Annotated

import typer

from dataengine.choices import OrderChoice, VerdictChoice

EPILOG = """
**Examples**

    dataengine review push --limit 500
    dataengine review push --verdict review --order disagreement
    dataengine review push --limit 200 --order doubtful
    dataengine review push --limit 200 --order informative
    dataengine review push --project "portraits of May" --verdict candidate
"""


def push(
    context: typer.Context,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Ask at most N questions; audits come on top.",
            show_default=False,
        ),
    ] = None,
    order: Annotated[
        OrderChoice,
        typer.Option(
            help="Which come first: where the network was least sure, any, the oldest, where two "
            "networks differ most, what the combined score doubts most, or what it doubts and is "
            "unlike what was asked about before. A share is always drawn at random "
            "(`random_share`)."
        ),
    ] = OrderChoice.UNCERTAIN,
    verdict: Annotated[
        list[VerdictChoice] | None,
        typer.Option(
            metavar="<candidate|review|rejected>",
            help="Masks with this verdict; may be given again.",
            show_default="candidate, review",
        ),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(metavar="TITLE", help="On the server.", show_default="portraits"),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, max=1000, metavar="N", help="Tasks a request.", show_default="100"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Ask people about masks: each becomes a task in Label Studio, exactly once.

    The server is the one in LABEL_STUDIO_URL (or `url` in `[review]`), the token comes from
    LABEL_STUDIO_API_KEY. Nothing a reviewer sees tells score, verdict or rank. Masks that were
    replaced since are withdrawn, unless somebody answered. Some questions measure: accepted masks
    once more (`recheck_share`), and masks whose answer is known (`honeypot_share`).

    Stop it, kill it, run it again: it goes on where it was, and no task is there twice.
    """
    import pipelines
    from dataengine.console.review.push import print_push
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    wanted = verdict or (VerdictChoice.CANDIDATE, VerdictChoice.REVIEW)
    request = pipelines.PushRequest(
        verdicts=[pipelines.Verdict(each.value) for each in wanted],
        order=pipelines.Order(order.value),
        limit=limit,
        project=project,
        batch=batch,
    )
    with opened(context) as workspace, shown_progress() as progress:
        print_push(pipelines.push_questions(workspace, request, progress), as_json=json)
