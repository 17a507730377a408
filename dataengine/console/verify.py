"""`verify` on a console."""

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.lineage.report import Report
from sinet.escaping import printable

NEVER_SEALED = 3
"""Exit code for a folder that may be sound, but is no release of this workspace."""


def exit_code(report: Report) -> int:
    """Of `verify`."""
    return NEVER_SEALED if report.ok and report.never_sealed else int(not report.ok)


def print_report(report: Report, *, as_json: bool) -> None:
    """What is wrong, and what was looked at."""
    if as_json:
        print_json(report.as_dict())
        return
    if report.repaired:
        say(f"made {number_of(report.repaired, 'blob')} again")
    for problem in report.problems:
        say(printable(problem.message))
    for note in report.notes:
        say(f"note: {printable(note)}")
    parts = [
        number_of(number, *nouns)
        for number, *nouns in (
            (report.blobs, "blob"),
            (report.references, "kind of references", "kinds of references"),
            (report.releases, "release"),
            (report.files, "released file"),
            (report.runs, "run"),
        )
        if number
    ]
    read = f"{report.read} in {report.seconds:.1f} s"
    verdict = "all is well" if report.ok else number_of(len(report.problems), "problem")
    say(f"{verdict}: {', '.join(parts) or 'nothing to check'}; {read}")
    if report.never_sealed:
        say("this workspace never sealed such a release: it may be another's, or changed")
    if report.checksum is not None:
        say(f"checksum {report.checksum}")
    if report.unnamed:
        unnamed = number_of(report.unnamed, "blob")
        say(f"{unnamed} that no row names: `dataengine gc` removes what nobody needs")
