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
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Remove however many there are; else 20 % of all at most."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Remove blobs that no row names, and what killed processes were writing.

    An ingest may run meanwhile: what a process at work has written and not named yet is spared,
    since it is about to be named. Who cannot be seen from here is listened for, some 15 seconds.
    """
    import pipelines
    from dataengine.console.gc import print_collected
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    request = pipelines.CollectRequest(dry_run=dry_run, yes=yes)
    with opened(context) as workspace, shown_progress() as progress:
        found = pipelines.collect_garbage(workspace, request, progress)
    print_collected(found, dry_run=dry_run, as_json=json)
