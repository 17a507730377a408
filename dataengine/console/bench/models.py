"""`bench models` on a console: the table, and where it is."""

from dataengine.console.shared.text import say
from pipelines.rounds.bench import Benched


def print_benched(found: Benched) -> None:
    """The table and the files."""
    say(found.table)
    say(f"Wrote {' and '.join(map(str, found.files[:2]))}")
    for picture in found.files[2:]:
        say(f"Wrote {picture}")
