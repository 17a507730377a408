"""`rounds` on a console."""

from collections.abc import Sequence
from typing import Any

from dataengine.console.shared.text import print_json, say
from db import Split
from pipelines.rounds.history import RoundLine
from pipelines.rounds.measures import MEASURES, interval_of


def print_rounds(found: Sequence[RoundLine], *, as_json: bool) -> None:
    """All runs of all rounds."""
    if as_json:
        print_json([line.as_dict() for line in found])
    elif found:
        _print_lines(found)
    else:
        say("No round was trained yet; `dataengine train --round 1` begins.")


def scores_text(metrics: dict[str, Any]) -> str:
    """What a student is judged by, in percent, with the intervals that are known."""
    said = []
    for name, title in MEASURES.items():
        sure = interval_of(metrics, name)
        ends = "" if sure is None else f" [{100 * sure[0]:.2f}, {100 * sure[1]:.2f}]"
        said.append(f"{title} {100 * metrics[name]:.2f}{ends}")
    return ", ".join(said)


def fate(line: RoundLine) -> str:
    """Promoted or not, and why."""
    if line.gate is None:
        return "not finished; the same `train` command goes on"
    message = line.gate["message"]
    if line.forced:
        return f"promoted by hand: {message}"
    return f"{'promoted' if line.promoted else 'not promoted'}: {message}"


def _print_lines(lines: Sequence[RoundLine]) -> None:
    """Three lines a run: they fit into any terminal, and a reason is a sentence."""
    for line in lines:
        masks = ", ".join(f"{number:,} {name}" for name, number in sorted(line.trust.items()))
        splits = ", ".join(f"{line.splits.get(split, 0):,} {split}" for split in Split)
        say(f"round {line.round}{'*' if line.is_current else ' '} {line.model}")
        say(f"  {splits} (masks: {masks})")
        if line.metrics is not None:
            say(f"  {scores_text(line.metrics)}")
        say(f"  {fate(line)}")
        if line.leaked:
            say(f"  learnt from {line.leaked:,} photos that are near-copies of test photos")
    if any(line.is_current for line in lines):
        say("* the current student, `sinet:current`")
