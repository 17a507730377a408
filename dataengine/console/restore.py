"""`restore` on a console."""

from pathlib import Path

from dataengine.console.shared.text import say
from dataengine.console.verify import print_report
from pipelines.lineage.report import Report
from sinet.escaping import printable


def print_restored(folder: Path, report: Report, *, as_json: bool) -> None:
    """Where the workspace is, and what was found in it."""
    if not as_json:
        say(f"Made a workspace in {printable(str(folder.absolute()))}")
    print_report(report, as_json=as_json)
