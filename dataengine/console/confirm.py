"""`confirm` on a console."""

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.releases.negatives import Confirmed


def print_confirmed(found: Confirmed, *, as_json: bool) -> None:
    """What are negatives now, and what is none."""
    if as_json:
        refused = [{"path": path, "message": text} for path, text in found.refused]
        print_json({"new": found.new, "known": found.known, "not_confirmed": refused})
        return
    for path, text in found.refused:
        say(f"refused: {path}: {text}", err=True)
    say(
        f"{number_of(found.new, 'photo')} confirmed, {found.known:,} before, "
        f"{len(found.refused):,} refused"
    )
