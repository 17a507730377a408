"""`verify` on a console."""

import typer

from dataengine.console.shared.text import number_of, print_json, printable
from pipelines.lineage.report import Report


def print_report(report: Report, *, as_json: bool) -> None:
    """What is wrong, and what was looked at."""
    if as_json:
        print_json(report.as_dict())
        return
    for problem in report.problems:
        typer.echo(printable(problem.message))
    for note in report.notes:
        typer.echo(f"note: {printable(note)}")
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
    typer.echo(f"{verdict}: {', '.join(parts) or 'nothing to check'}; {read}")
    if report.unnamed:
        unnamed = number_of(report.unnamed, "blob")
        typer.echo(f"{unnamed} that no row names: `dataengine gc` removes what nobody needs")
