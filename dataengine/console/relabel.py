"""`relabel` on a console."""

from dataengine.console.shared.text import print_json, say
from pipelines.rounds.relabel import RelabelResult
from sinet.escaping import printable

_SHOWN_FAILURES = 10


def print_relabelled(done: RelabelResult, *, as_json: bool) -> None:
    """What changed, and what could not be done."""
    whose = done.producer if done.round is None else f"the student of round {done.round}"
    if as_json:
        print_json(
            {
                "round": done.round,
                "producer": done.producer,
                "method": done.method,
                "portraits": len(done.relabelled),
                "verdicts": done.verdicts,
                "median_change": done.median_change,
                "not_relabelled": done.failures,
                "interrupted": done.interrupted,
            }
        )
        return
    if done.median_change is not None:
        verdicts = sorted(done.verdicts.items())
        counts = ", ".join(f"{number:,} {verdict}" for verdict, number in verdicts)
        say(
            f"Gave {len(done.relabelled):,} portraits a new mask ({done.method}, {whose}): "
            f"{counts}; the median mask changed by {done.median_change:.1%}"
        )
        say("Let people look: `dataengine review push`")
    elif not done.failures and not done.interrupted:
        say(
            "Nothing to relabel: every mask is accepted, drawn by a person, or made by "
            f"{whose} already."
        )
    _print_failures(done)
    if done.interrupted:
        say("Stopped. Run the same command to go on where it was.", err=True)


def _print_failures(done: RelabelResult) -> None:
    if not done.failures:
        return
    say(f"{len(done.failures):,} portraits failed (--retry-failed tries them again):", err=True)
    for each in done.failures[:_SHOWN_FAILURES]:
        line = f"  portrait {each.portrait_id}: {each.reason}: {each.message}"
        say(printable(line), err=True)
    if len(done.failures) > _SHOWN_FAILURES:
        say("  …; all of them: `dataengine relabel --json`", err=True)
