"""`dataengine init`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine init portraits
    dataengine -w portraits ingest ./raw
"""


def init(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Where; default the -w folder.", show_default=False)
    ] = None,
) -> None:
    """Make a workspace: settings, database and store in one folder.

    The folder may exist and hold other things. `ingest` makes a workspace by itself; use this to
    change settings first.
    """
    import pipelines
    from dataengine.console.init import print_made
    from dataengine.context import root_of

    root = folder or root_of(context)
    pipelines.init_workspace(root)
    print_made(root)
