"""`dataengine rounds`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine rounds
    dataengine rounds --json | jq '.[] | select(.is_current) | .metrics.iou'
"""


def rounds(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """Show the rounds: what was learnt from, how well, promoted or not, and why.

    Scores are means over the round's frozen test split with 95 % intervals (bootstrap by groups of
    near-duplicates), in percent.
    """
    import pipelines
    from dataengine.console.rounds import print_rounds
    from dataengine.context import opened

    with opened(context, read_only=True) as workspace:
        print_rounds(pipelines.list_rounds(workspace), as_json=json)
