"""`dataengine report`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.workspace.defaults import PICTURES

EPILOG = """
**Examples**

    dataengine report report.html
    dataengine report report.html --pictures 300 --open
"""


def report(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT.html", help="File to write; overwritten.")],
    pictures: Annotated[
        int,
        typer.Option(
            min=0,
            max=2500,
            metavar="N",
            help="Of how many portraits it shows the pictures; with more portraits than that it "
            "takes a sample, and says how it was drawn. Figures count every portrait.",
        ),
    ] = PICTURES,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Make one page of everything: what came in, what can be trusted, what is to be decided.

    The funnel, masks with outline and probability to be filtered, failures, near-duplicates,
    reviewers, slices, certificates, rounds and drift. One file that opens in any browser without a
    network: it holds names of files and people, so mind whom you give it to. What `scores slices`
    and `scores drift` need and is not known yet is computed first.
    """
    import pipelines
    from dataengine.console.report import open_page, print_reported
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import reading

    request = pipelines.ReportRequest(out=out, pictures=pictures)
    with shown_progress() as progress:
        found = reading(
            context, lambda workspace: pipelines.write_report(workspace, request, progress)
        )
    print_reported(found, as_json=json)
    if open_:
        open_page(found.path)
