"""`dataengine review server`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine review server
    dataengine -w portraits review server --port 8090 --data-dir ~/label-studio
"""


def server(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="On this machine only.", show_default="the first free from 8080"
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Label Studio's own data: its database, log and login.",
            show_default="a folder of its own in ~/.local/share/dataengine",
        ),
    ] = None,
) -> None:
    """Run a Label Studio on this machine until Ctrl-C, for one person or for trying it out.

    The first start installs it (some 200 MB, by uv, in an environment of its own) and takes a
    minute or two. It answers only on this machine, sends nothing home, and serves nothing but
    this workspace's portraits. What mends masks by clicks runs beside it. For a team, run one
    server for all: docs/review.md.
    """
    from dataengine.console.review.server import run_server
    from dataengine.context import opened, root_of

    with opened(context, read_only=True) as workspace:
        run_server(root_of(context), workspace, port, data_dir)
