"""`dataengine review pull`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine review pull
    dataengine review pull --watch 30
"""


def pull(
    context: typer.Context,
    watch: Annotated[
        float | None,
        typer.Option(
            min=1, metavar="SECONDS", help="Pull again and again, until Ctrl-C.", show_default=False
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print what changed as JSON; with --watch a line each.")
    ] = False,
) -> None:
    """Fetch what people decided; fixed masks become new revisions.

    Accepted masks must come back as they were shown, fixed ones must differ: an answer that
    contradicts itself is reported and not used. What is edited or deleted on the server later is
    followed. Pulling twice changes nothing.
    """
    from dataengine.console.review.pull import report_pull
    from dataengine.context import opened

    with opened(context) as workspace:
        report_pull(workspace, watch, as_json=json)
