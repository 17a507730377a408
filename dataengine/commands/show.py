"""`dataengine show`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Example**

    dataengine show 12 portrait.png
"""


def show(
    context: typer.Context,
    portrait_id: Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="Picture to write.")],
) -> None:
    """Draw a portrait: image with boxes, crop, and mask, side by side."""
    from dataengine.console.show import print_drawn
    from dataengine.context import opened
    from db import reader
    from pipelines.portraits.listing import find_portrait
    from pipelines.portraits.picture import save_picture

    with opened(context) as workspace:
        with reader(workspace.engine).begin() as connection:
            portrait = find_portrait(connection, workspace.store, portrait_id)
        save_picture(portrait, out, workspace.settings)
    print_drawn(out)
