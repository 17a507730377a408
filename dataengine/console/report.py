"""`report` on a console."""

import webbrowser
from pathlib import Path

from dataengine.console.shared.text import print_json, say
from pipelines.pages.report import Reported


def print_reported(found: Reported, *, as_json: bool) -> None:
    """What was written."""
    if as_json:
        print_json({**vars(found), "path": str(found.path)})
        return
    shown = f"{found.portraits:,} portraits, pictures of {found.pictures:,}"
    say(f"Wrote {found.path} ({found.size_bytes / 1e6:.1f} MB): {shown}")
    if found.unreadable:
        say(
            f"{found.unreadable:,} pictures cannot be read: blobs are missing or damaged "
            "(`dataengine verify`)"
        )


def open_page(path: Path) -> None:
    """Show it in the browser; where there is none, say so."""
    if not webbrowser.open(path.absolute().as_uri()):
        say("no browser was found; open the file by hand", err=True)
