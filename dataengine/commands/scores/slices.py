"""`dataengine scores slices`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine scores slices
    dataengine scores slices --json | jq '.[] | select(.trait == "turn")'
"""


def slices(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show which kinds of portraits are accepted less often, or found bad more often.

    Thirds of all portraits by size of the face, brightness, sharpness, how far the head is turned
    or tilted, and how far the face is off the photo's centre: how many have a decision, how many of
    those a trusted mask, and how many of the masks that chance chose people found bad, with 95 %
    intervals.
    """
    import pipelines
    from dataengine.console.scores.slices import print_slices
    from dataengine.context import reading

    print_slices(reading(context, pipelines.slice_lines), as_json=json)
