"""`scores drift` on a console."""

from collections.abc import Sequence

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.doubt.drift import LEAST, RoundDrift

_SHOWN = 5
"""Signals a line names at most."""


def print_drift(found: Sequence[RoundDrift], *, as_json: bool) -> None:
    """Whether masks of each round look like those of the round before."""
    if as_json:
        print_json(found)
        return
    if not found:
        say("no round was frozen yet (`dataengine train --round 1`): nothing to compare")
    for each in found:
        _print_round(each)


def _print_round(found: RoundDrift) -> None:
    sides = f"{number_of(found.before, 'portrait')} before it, {found.after:,} after it"
    say(f"round {found.round}: {sides}")
    if not found.signals:
        say(f"  too few to compare: it takes {LEAST} on either side")
        return
    drifted = [each for each in found.signals if each.drifted]
    if not drifted:
        widest = found.signals[0]
        say(
            f"  no drift was found in {len(found.signals)} signals (largest distance "
            f"{widest.distance:.2f}, {widest.signal})"
        )
    else:
        say(
            f"  {len(drifted)} of {len(found.signals)} signals have drifted: review masks drawn "
            "at random, then `dataengine scores fit`"
        )
    for signal in drifted[:_SHOWN]:
        say(
            f"    {signal.signal}: median {signal.before:.3g} → {signal.after:.3g}, distance "
            f"{signal.distance:.2f} (p {signal.p_value:.1g})"
        )
    if len(drifted) > _SHOWN:
        say(f"    and {len(drifted) - _SHOWN} more (--json)")
    say(f"  with so many portraits, a distance below {found.visible:.2f} would not be seen")
