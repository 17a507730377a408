"""`dataengine init`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine init portraits
    dataengine -w portraits ingest ./raw
    dataengine init team --database postgresql://anna@db.example.org/portraits
    dataengine init shared --store s3://bucket/portraits
"""


def init(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Where; default the -w folder.", show_default=False)
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="Where the rows are kept: `postgresql://USER@HOST/NAME`, an empty database of "
            "yours; its password comes from PGPASSWORD or ~/.pgpass. Default a file in the folder.",
            show_default=False,
            metavar="URL",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="Where the blobs are kept: `s3://BUCKET/FOLDER`, `gs://…` or `az://…`; its "
            "credentials come from the environment. Default a folder in the folder.",
            show_default=False,
            metavar="URL",
        ),
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
    pipelines.init_workspace(root, database, store)
    print_made(root)
