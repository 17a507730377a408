"""`dataengine scores show`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine scores show
    dataengine scores show --out ./quality
"""


def show(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write reliability.png and precision-recall.png there.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show the score that holds, and how well it finds bad masks by cross-validation.

    Before the first `scores fit` it is a default: the IoU that the network's own probabilities
    promise.
    """
    import pipelines
    from dataengine.console.scores.show import print_score
    from dataengine.context import opened

    with opened(context, read_only=True) as workspace:
        score = pipelines.require_score(workspace)
    if out is not None:
        pipelines.write_diagrams(score, out)
    print_score(score, as_json=json)
