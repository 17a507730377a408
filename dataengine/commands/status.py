"""`dataengine status`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine status
    dataengine status --json | jq .verdicts
"""


def status(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show the funnel: files, images, portraits, verdicts, reasons, failures, jobs.

    With `--json` also the numbers of `review status`. May be asked at any time, also while an
    ingest runs.
    """
    import pipelines
    from dataengine.console.status import print_status
    from dataengine.context import opened

    with opened(context, read_only=True) as workspace:
        print_status(pipelines.workspace_status(workspace), as_json=json)
