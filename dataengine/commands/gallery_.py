"""`dataengine gallery`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.workspace.defaults import GALLERY_PORTRAITS

EPILOG = """
**Examples**

    dataengine gallery
    dataengine gallery --portraits 20000 --port 8190 --open
    dataengine gallery pull --by ann@example.org
"""


def gallery(
    context: typer.Context,
    portraits: Annotated[
        int,
        typer.Option(
            min=1,
            max=100_000,
            metavar="N",
            help="Show at most N; of more portraits the most and the least doubtful ones, and the "
            "rest by chance.",
        ),
    ] = GALLERY_PORTRAITS,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="On this machine only.", show_default="the first free from 8180"
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where it writes down what is tagged.",
            show_default="a folder of its own in ~/.local/share/dataengine",
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Look at all masks in LightlyStudio until Ctrl-C: filter, sort, see the crawl on a map, tag.

    The first start installs it (by uv, in an environment of its own; some gigabytes, most of them
    PyTorch). It answers only on this machine and only whoever has the address that is printed, and
    it sends nothing anywhere. The map is drawn from the student's features. What you tag `review`,
    `fix` or `reject` becomes questions and decisions with `dataengine gallery pull`.
    """
    if context.invoked_subcommand is not None:
        return
    from dataengine.console.gallery_ import GalleryOptions, run_gallery
    from dataengine.context import opened, root_of

    options = GalleryOptions(portraits=portraits, port=port, data_dir=data_dir, open=open_)
    run_gallery(root_of(context), lambda: opened(context, read_only=True), options)
