"""`dataengine review status`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine review status
    dataengine review status --json | jq .reviewers
"""


def status(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show what was asked and answered, as of the last pull; per reviewer how fast and how alike.

    Agreement: of the decisions of others on the same masks, how many are the same. Errors, with
    their 95 % intervals, on masks whose answer is known and on accepted ones shown again.
    """
    from dataengine.console.review.status import print_review
    from dataengine.context import opened
    from db import reader
    from pipelines.review.status import review_counts

    with opened(context) as workspace, reader(workspace.engine).begin() as connection:
        found = review_counts(connection)
    print_review(found, as_json=json)
