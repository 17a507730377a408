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
    from dataengine.console.status import print_status
    from dataengine.context import opened
    from db import reader
    from pipelines.portraits.funnel import funnel
    from pipelines.review.status import review_counts

    with opened(context) as workspace, reader(workspace.engine).begin() as connection:
        found = funnel(connection)
        review = review_counts(connection)
    print_status(found, review, as_json=json)
