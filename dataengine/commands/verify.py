"""`dataengine verify`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine verify
    dataengine verify round-3
    dataengine verify /mnt/copy/round-3 --json | jq -r '.problems[].message'
"""


def verify(
    context: typer.Context,
    release: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]",
            help="Name of a release, or the folder of one, wherever it was copied to.",
            show_default="the whole workspace",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Check that everything is what it was: every blob, reference, release and checkpoint.

    Names each flipped byte, missing blob, row without a blob, and file that does not belong; then
    the exit code is 1. A folder is checked against its checksums.txt and needs no workspace.
    Photos that were forgotten since a release was written are a note.
    """
    from dataengine.console.verify import run_verify

    if not run_verify(context, release, as_json=json):
        raise typer.Exit(1)
