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
    import pipelines
    from dataengine.console.review.pull import print_pull, print_pulls
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    with opened(context) as workspace, shown_progress() as progress:
        if watch is None:
            print_pull(pipelines.pull_answers(workspace, progress), as_json=json)
        else:
            print_pulls(pipelines.watch_answers(workspace, watch, progress), as_json=json)
