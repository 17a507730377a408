"""`ingest` on a console: what was taken in, and how the workspace stands then."""

from typing import Any

from dataengine.console.shared.text import print_json, say
from dataengine.console.status import print_funnel
from pipelines.ingest.found import PairCounts, ScanSummary
from pipelines.ingest.records import Registered
from pipelines.ingest.run import IngestPlan, IngestResult
from pipelines.portraits.funnel import Funnel
from sinet.escaping import printable
from sinet.pictures.masks import told

_NAMED = 5  # masks without a photo are named so far, then counted


def print_ingested(result: IngestResult, state: Funnel, *, as_json: bool) -> None:
    """What was taken in, and how the workspace stands."""
    if as_json:
        print_json({"run": _as_dict(result), "status": state.as_dict()})
    else:
        _print_scan(result.scan)
        _print_run(result)
        print_funnel(state)
    if result.warning:
        say(f"warning: {result.warning}", err=True)
    if result.interrupted:
        say("Stopped. Run the same command to go on where it was.", err=True)


def print_plan(found: IngestPlan, *, as_json: bool) -> None:
    """What would be taken in."""
    if as_json:
        counts = {"pending": found.pending, "failed": found.failed}
        print_json({**_offered(found.files, found.scan), **counts})
        return
    files = found.files
    say(
        f"Would take in {files.new:,} new and {files.changed:,} changed files; "
        f"{files.known:,} are known."
    )
    if found.pending or found.failed:
        say(f"In the workspace: {found.pending:,} jobs left, {found.failed:,} failed.")
    _print_scan(found.scan)


def _print_scan(scan: ScanSummary) -> None:
    if scan.ignored:
        kinds = ", ".join(f"{suffix} {number:,}" for suffix, number in scan.ignored.most_common())
        say(f"Not images, left out: {kinds}")
    if scan.not_files:
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in scan.not_files.most_common())
        say(f"Not files, left out: {kinds}")
    if scan.pairs is not None:
        _print_pairs(scan.pairs)
    if scan.origins is not None:
        counts = scan.origins
        say(
            f"Origin: of {counts.matched:,} files known, of {counts.unmatched:,} not; "
            f"{counts.unused:,} rows are of no file offered or say nothing"
        )
    for note in scan.notes:
        say(f"note: {printable(note)}", err=True)
    for path, reason in [*scan.unreadable, *scan.broken_tars]:
        say(f"warning: {printable(path)}: {reason}", err=True)


def _print_pairs(pairs: PairCounts) -> None:
    say(
        f"Masks: {pairs.found:,} found, {pairs.missing:,} photos without one, "
        f"{pairs.ambiguous:,} ambiguous (see `dataengine failures`)"
    )
    if pairs.unused:
        shown = ", ".join(printable(path) for path in pairs.unused[:_NAMED])
        more = f" and {len(pairs.unused) - _NAMED:,} more" if len(pairs.unused) > _NAMED else ""
        say(f"Masks without a photo: {len(pairs.unused):,}: {shown}{more}")


def _print_run(result: IngestResult) -> None:
    files, tally = result.files, result.tally
    parts = [f"{files.new:,} new", f"{files.changed:,} changed", f"{files.known:,} known files"]
    if result.retried:
        parts.append(f"{result.retried:,} failed jobs tried again")
    say(", ".join(parts))
    if tally.files:
        say(
            f"{tally.files:,} files in {result.seconds:.1f} s "
            f"({tally.files / max(result.seconds, 1e-3):.1f} a second), {tally}"
        )
    if tally.masks_read:
        say(f"Masks read as: {told(tally.masks_read)}")


def _as_dict(result: IngestResult) -> dict[str, Any]:
    return {
        **_offered(result.files, result.scan),
        "retried": result.retried,
        "seconds": round(result.seconds, 3),
        "interrupted": result.interrupted,
        "warning": result.warning,
        **vars(result.tally),
    }


def _offered(files: Registered, scan: ScanSummary) -> dict[str, Any]:
    """What lay there, for a plan and for a run."""
    damaged = {"unreadable": scan.unreadable, "broken_tars": scan.broken_tars}
    return {
        **vars(files),
        "offered": scan.offered,
        "ignored": scan.ignored,
        "not_files": scan.not_files,
        "notes": scan.notes,
        **{
            name: [{"path": path, "message": text} for path, text in found]
            for name, found in damaged.items()
        },
        "pairs": scan.pairs,
        "origins": scan.origins,
    }
