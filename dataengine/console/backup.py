"""`backup` on a console."""

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.lineage.backup import BackedUp
from sinet.escaping import printable


def print_backed_up(done: BackedUp, *, as_json: bool) -> None:
    """What is in the folder."""
    if as_json:
        print_json({**vars(done), "path": str(done.path)})
        return
    counted = ((done.blobs, "blob"), (done.releases, "release"), (done.runs, "run"))
    parts = [number_of(number, noun) for number, noun in counted if number]
    what = ", ".join(["the database", *parts])
    say(f"Backed up {what} ({done.blob_bytes / 1e6:,.1f} MB) to {printable(str(done.path))}")
