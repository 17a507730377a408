"""`gc` on a console."""

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.lineage.collecting import Collected


def print_collected(found: Collected, *, dry_run: bool, as_json: bool) -> None:
    """What was removed, or would be."""
    if as_json:
        print_json({**vars(found), "dry_run": dry_run})
        return
    done = "Would remove" if dry_run else "Removed"
    say(f"{done} {number_of(found.blobs, 'blob')}, {found.blob_bytes / 1e6:,.1f} MB")
    if found.temporaries:
        size = f"{found.temporary_bytes / 1e6:,.1f} MB"
        files = number_of(found.temporaries, "temporary file")
        say(f"{done} {files} of dead processes, {size}")
    if found.spared:
        say(f"Kept {number_of(found.spared, 'blob')} that a process at work may need")
