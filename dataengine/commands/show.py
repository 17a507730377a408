"""`dataengine show`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Example**

    dataengine show 12 --out portrait.png
"""


def show(
    context: typer.Context,
    portrait_id: Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help=".png or .jpg to write.", show_default=False)
    ],
) -> None:
    """Draw a portrait: image with boxes, crop, and mask, side by side."""
    import pipelines
    from dataengine.console.show import print_drawn
    from dataengine.context import opened

    with opened(context, read_only=True) as workspace:
        pipelines.draw_portrait(workspace, portrait_id, out)
    print_drawn(out)
