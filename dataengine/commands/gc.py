"""`dataengine gc`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine gc --dry-run
    dataengine -w portraits gc
"""


def gc(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Remove blobs that no row names, and what killed processes were writing.

    An ingest may run meanwhile: what was written since the oldest process now at work was started
    is spared, because the row that will name it may not be committed yet.
    """
    from dataengine.console.tables import number_of, print_json
    from dataengine.context import opened
    from pipelines.lineage.collecting import collect

    with opened(context) as workspace:
        found = collect(workspace, dry_run=dry_run)
    if json:
        print_json({**vars(found), "dry_run": dry_run})
        return
    done = "Would remove" if dry_run else "Removed"
    typer.echo(f"{done} {number_of(found.blobs, 'blob')}, {found.blob_bytes / 1e6:,.1f} MB")
    if found.temporaries:
        size = f"{found.temporary_bytes / 1e6:,.1f} MB"
        files = number_of(found.temporaries, "temporary file")
        typer.echo(f"{done} {files} of dead processes, {size}")
    if found.spared:
        typer.echo(f"Kept {number_of(found.spared, 'blob')} that a process at work may need")
