"""`confirm` on a console."""

from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dataengine.console.shared.text import cell, number_of, print_json, say
from pipelines.pictures.traits import interval, trait_title
from pipelines.releases.negative_audit import DrawnAudit, JudgedAudit
from pipelines.releases.negatives import Confirmed
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.store import storage_message


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


def print_drawn(drawn: DrawnAudit, out: Path, *, as_json: bool) -> None:
    """The sample's list into a file, and what to do with it.

    Raises:
        PipelineError: it cannot be written.
    """
    try:
        out.write_text("".join(f"{line}\n" for line in drawn.lines), encoding="utf-8")
    except OSError as error:
        raise PipelineError(storage_message(out, error)) from error
    if as_json:
        sample = {"number": drawn.number, "photos": drawn.photos, "drawn": len(drawn.lines)}
        terms = {"max_error": drawn.max_error, "confidence": drawn.confidence}
        print_json({**sample, **terms, "is_new": drawn.is_new, "out": str(out)})
        return
    waited = "" if drawn.is_new else ", which was drawn before and waits"
    say(
        f"audit {drawn.number}{waited}: look at the {len(drawn.lines):,} photos listed in {out}, "
        f"of {drawn.photos:,} without a face; take out the lines of those with somebody, then: "
        f"dataengine confirm {out} --audit --by NAME"
    )


def print_judged(judged: JudgedAudit, *, as_json: bool) -> None:
    """Whether the rest are negatives, and why not."""
    if as_json:
        print_json(asdict(judged))
        return
    say(
        f"audit {judged.number}: somebody is in {judged.errors:,} of {judged.audited:,} photos, so "
        f"in at most {judged.bound:.2%} of all; {judged.confirmed:,} confirmed"
    )
    if judged.certified:
        say(f"{number_of(judged.accepted, 'photo')} beside them accepted as negatives")
    else:
        say(f"nothing is accepted beside them: {judged.missing}")
    _print_slices(judged)


def _print_slices(judged: JudgedAudit) -> None:
    """Where people are overlooked: a line a slice of the sample."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("somebody in the sample", no_wrap=True)
    for heading in ("", "photos", "with somebody", "at most"):
        table.add_column(heading, justify="right")
    last = None
    for each in judged.slices:
        title = "" if each.trait == last else trait_title(each.trait)
        within = each.value or ""
        if each.low is not None and each.high is not None:
            within = interval(each.trait, each.low, each.high)
        numbers = (f"{each.audited:,}", f"{each.errors:,}", f"{each.bound:.1%}")
        table.add_row(cell(title), cell(within), *numbers)
        last = each.trait
    Console(highlight=False).print(table)
    say("all these bounds hold at once, with the audit's confidence; small slices say little")
