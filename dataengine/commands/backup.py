"""`dataengine backup`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine backup ../portraits-backup
    dataengine -w portraits backup /mnt/backup/portraits-2026-11-26
"""


def backup(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Copy the workspace as it is at this moment, while others may be writing to it.

    Database, blobs, releases, runs and settings, each blob checked. On the same disk blobs and
    releases are hard links, which take no room and outlive mistakes, not the disk. Raw photos and
    exports to other folders are not part of it. `dataengine restore` makes a workspace of it.
    """
    import pipelines
    from dataengine.console.backup import print_backed_up
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    request = pipelines.BackUpRequest(out=out)
    with opened(context, read_only=True) as workspace, shown_progress() as progress:
        done = pipelines.back_up_workspace(workspace, request, progress)
    print_backed_up(done, as_json=json)
