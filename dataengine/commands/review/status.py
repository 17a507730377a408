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
    import pipelines
    from dataengine.console.review.status import print_review
    from dataengine.context import opened

    with opened(context, read_only=True) as workspace:
        print_review(pipelines.review_status(workspace), as_json=json)
