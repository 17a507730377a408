"""`dataengine restore`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine restore ../portraits-backup portraits
    dataengine restore /mnt/backup/portraits-2026-11-26 ./portraits --json | jq .ok
"""


def restore(
    backup: Annotated[
        Path, typer.Argument(metavar="BACKUP", help="Folder that `backup` made; it stays as it is.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Workspace to make.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print the check's outcome as JSON.")
    ] = False,
) -> None:
    """Make a workspace of a backup, and check all of it as `verify` does.

    The exit code is 1 if anything in it is wrong.
    """
    import pipelines
    from dataengine.console.restore import print_restored
    from dataengine.console.shared.progress import shown_progress

    request = pipelines.RestoreRequest(backup=backup, out=folder)
    with shown_progress() as progress:
        report = pipelines.restore_workspace(request, progress)
    print_restored(folder, report, as_json=json)
    if not report.ok:
        raise typer.Exit(1)
