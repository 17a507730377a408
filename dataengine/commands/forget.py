"""`dataengine forget`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine forget raw/IMG_0412.jpg
    dataengine forget portrait:12 portrait:40 --yes
    dataengine forget round-3/images/1f0c9a.jpg
"""


def forget(
    context: typer.Context,
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="Raw photos (or their paths, if they are gone), released images, SHA-256s, or "
            "portrait:ID for the photo of a portrait.",
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Remove a person's photo everywhere, and refuse its bytes from now on.

    Goes: what the workspace knows of its files, crops, masks, questions, decisions, jobs and
    tasks in Label Studio. If the server cannot be reached, its tasks are deleted by the next
    `review push` or `review pull`. Stays: your own raw files, and releases that were written
    before; those are listed.
    """
    from dataengine.console.forget import run_forget
    from dataengine.context import opened

    with opened(context) as workspace:
        run_forget(workspace, images, yes=yes, as_json=json)
