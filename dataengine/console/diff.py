"""`diff` on a console."""

from pathlib import Path

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.pages.difference import Change, Difference, What

_SHOWN = 10
"""Changes of a kind that are named."""


def print_difference(found: Difference, html: Path | None, *, as_json: bool) -> None:
    """What changed."""
    if as_json:
        print_json(found.as_dict())
        return
    say(f"{found.before} → {found.after}")
    say(
        f"  {found.added:,} added, {found.removed:,} removed, {found.changed:,} with another mask, "
        f"{found.same:,} the same"
    )
    if found.reasons:
        say("  why: " + ", ".join(f"{why} {number:,}" for why, number in found.reasons.items()))
    if found.split_changes:
        say(
            f"  {number_of(len(found.split_changes), 'photo')} changed the split, which must never "
            "happen:"
        )
        for each in found.split_changes[:_SHOWN]:
            say(f"    {each.photo_sha256[:16]}: {each.before} → {each.after}")
    for what in What:
        _print_changes([each for each in found.changes if each.what is what])
    student = found.student
    if student is not None:
        say(
            f"  student's IoU {100 * student.before:.2f} → {100 * student.after:.2f} "
            f"({100 * student.change:+.2f}): {100 * student.same:+.2f} on the same pictures, "
            f"{100 * student.changed_masks:+.2f} by changed masks, {100 * student.added:+.2f} by "
            f"new test pictures, {100 * student.removed:+.2f} by those that left"
        )
    if html is not None:
        say(f"Wrote {html}")


def exit_code(found: Difference) -> int:
    """1: a photo is used for something else than before."""
    return 1 if found.split_changes else 0


def _print_changes(changes: list[Change]) -> None:
    for each in changes[:_SHOWN]:
        pixels = "" if each.pixels is None else f", {number_of(each.pixels, 'pixel')}"
        by = f" by {each.by}" if each.by else ""
        say(f"    {each.what} {each.name} ({each.split}{pixels}): {each.why}{by}")
    if len(changes) > _SHOWN:
        say(f"    and {len(changes) - _SHOWN:,} more {changes[0].what} (--json)")
