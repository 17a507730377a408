"""`dataengine scores drift`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine scores drift
    dataengine scores drift --json | jq '.[-1].signals[] | select(.drifted)'
"""


def drift(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Test whether masks of one round look like those of the round before.

    For each round that was frozen, the portraits that came since the round before and those that
    came until the next, each by the first mask that a network made of it, near-duplicates counted
    once: their signals and combined score by Kolmogorov and Smirnov's test, at a false discovery
    rate of 5 % over all signals. A signal has drifted if that is significant and the distance is
    at least 0.1.
    """
    import pipelines
    from dataengine.console.scores.drift import print_drift
    from dataengine.context import reading

    print_drift(reading(context, pipelines.drift_between_rounds), as_json=json)
