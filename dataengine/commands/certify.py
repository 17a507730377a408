"""`dataengine certify`."""

from typing import Annotated

import typer

from pipelines.workspace.defaults import BAD_BELOW, CONFIDENCE, MAX_ERROR

EPILOG = """
**Examples**

    dataengine certify --max-error 0.02 --confidence 0.95
    dataengine review push
    dataengine review pull
    dataengine certify --max-error 0.02 --confidence 0.95
"""


def certify(
    context: typer.Context,
    max_error: Annotated[
        float,
        typer.Option(
            min=0.0001, max=0.5, metavar="SHARE", help="At most this share of the accepted is bad."
        ),
    ] = MAX_ERROR,
    confidence: Annotated[
        float,
        typer.Option(min=0.5, max=0.9999, help="Of all attempts together."),
    ] = CONFIDENCE,
    bad_below: Annotated[
        float,
        typer.Option(
            min=0.01, max=1, metavar="IOU", help="A fixed mask was bad if its IoU is below this."
        ),
    ] = BAD_BELOW,
    audit: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Questions at most.", show_default="as many as are worth it"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of the audit's draw: the same photos, decisions and seed make the same audit.",
            show_default="by chance",
        ),
    ] = None,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Give the open attempt up; it stays spent.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Accept masks without looking at each, if an audit proves how few of them are bad.

    The first call lists the undecided masks that the fitted score doubts least, draws questions
    from them, doubtful masks more often, and accepts nothing; the next `review push` asks them,
    blind, among others. A call after `review pull` looks at the answers that came, however many
    (the bound holds at any moment): it accepts the whole list but for what was found bad, gives it
    up, draws more questions, or waits. What is not needed any more the next push takes back.

    Each list is an attempt. The n-th may err with a probability of (1 − confidence) / 2^n, so that
    trying again cannot buy a certificate. The bound is on what reviewers would find, not on what
    they overlook. A certificate is void, and what it accepted is undecided again, once its score is
    fitted anew or its masks are replaced.
    """
    import pipelines
    from dataengine.console.certify import print_abandoned, print_certification
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    request = pipelines.CertifyRequest(
        max_error=max_error, confidence=confidence, bad_below=bad_below, audit=audit, seed=seed
    )
    with opened(context) as workspace, shown_progress() as progress:
        if abandon:
            print_abandoned(pipelines.abandon_attempt(workspace), as_json=json)
        else:
            found = pipelines.certify_masks(workspace, request, progress)
            print_certification(found, as_json=json)
