"""`bench models` on a console: the table, and where it is."""

from dataclasses import asdict

from dataengine.console.shared.text import print_json, say
from pipelines.rounds.bench import Benched


def print_benched(found: Benched, *, as_json: bool) -> None:
    """The table and the files."""
    if as_json:
        rows = [asdict(row) for row in found.rows]
        files = [str(file) for file in found.files]
        print_json({"protocol": found.protocol, "rows": rows, "files": files})
        return
    say(found.table)
    say(f"Wrote {' and '.join(map(str, found.files[:2]))}")
    for picture in found.files[2:]:
        say(f"Wrote {picture}")
