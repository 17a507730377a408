"""`failures` on a console: three lines each, or JSON."""

from collections.abc import Sequence

from dataengine.console.shared.text import print_json, say
from pipelines.portraits.failures import Failure
from sinet.escaping import printable


def print_failures(found: Sequence[Failure], *, as_json: bool) -> None:
    """Each with its path, stage and whole reason."""
    if as_json:
        print_json([each.as_dict() for each in found])
        return
    for each in found:
        portrait = f" (portrait {each.portrait_id})" if each.portrait_id is not None else ""
        say(f"{printable(each.path or '(overwritten)')}{portrait}")
        say(f"  {each.stage}: {each.reason}")
        say(f"  {printable(each.message)}")
    say(f"{len(found):,} failed")
