"""`migrate-database` on a console."""

from dataengine.console.shared.text import say
from pipelines.workspace.moving import Moved
from sinet.escaping import printable


def print_moved(moved: Moved) -> None:
    """How many rows are where now."""
    say(f"{moved.rows:,} rows copied and compared; the settings name {printable(moved.new)}")
    say(f"{printable(moved.old)} is as it was, and no longer used")
