"""`export` on a console."""

from dataengine.console.shared.text import print_json, say
from pipelines.releases.exporting import Exported
from sinet.escaping import printable


def print_exported(found: Exported, *, as_json: bool) -> None:
    """What was written."""
    if as_json:
        print_json(_as_dict(found))
        return
    splits = found.counts.splits
    parts = ", ".join(f"{splits[name]:,} {name}" for name in ("train", "val", "test"))
    number = f"{splits.total():,}"
    say(f"Wrote {number} portraits to {printable(str(found.path))}: {parts}")
    say(f"checksum {found.release.checksum}")
    if found.forgotten:
        say(f"Left out {found.forgotten:,} whose photos were forgotten since.")
    if found.refused:
        say(f"Left out {found.refused:,} refused by the policy.")
    say(f"What it holds and what is missing: {printable(str(found.path / 'card.md'))}")


def _as_dict(found: Exported) -> dict[str, object]:
    return {
        "name": found.release.name,
        "path": str(found.path),
        "format": found.release.format,
        "checksum": found.release.checksum,
        "portraits": found.counts.portraits,
        "negatives": found.counts.negatives,
        "splits": found.counts.splits,
        "trust": found.counts.trust,
        "forgotten": found.forgotten,
        "refused_by_policy": found.refused,
    }
