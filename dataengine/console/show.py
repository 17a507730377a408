"""`show` on a console."""

from pathlib import Path

from dataengine.console.shared.text import say
from sinet.escaping import printable


def print_drawn(path: Path) -> None:
    """Where the picture is."""
    say(f"Wrote {printable(str(path))}")
