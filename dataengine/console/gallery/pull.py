"""`gallery pull` on a console."""

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.review.tags import PulledTags


def print_pulled_tags(found: PulledTags, *, as_json: bool) -> None:
    """What it brought, and what could not be used."""
    if as_json:
        print_json(vars(found))
        return
    if found.outdated:
        say(
            f"warning: {number_of(found.outdated, 'tag')} on masks that were replaced since; look "
            "at the new ones: start the gallery again",
            err=True,
        )
    if found.gone:
        say(
            f"warning: {number_of(found.gone, 'tag')} on portraits that are gone or were forgotten",
            err=True,
        )
    if found.other:
        say(
            f"note: {number_of(found.other, 'tag')} of other names than review, fix and reject: "
            "left in the gallery",
            err=True,
        )
    parts = [f"{number:,} {name}" for name, number in sorted(found.tags.items())]
    if found.withdrawn:
        parts.append(f"{found.withdrawn:,} withdrawn")
    say(", ".join(parts) or "nothing new")
    calls = found.tags["review"] + found.tags["fix"]
    if calls:
        say(f"`dataengine review push` asks about {number_of(calls, 'mask')} of them first")
