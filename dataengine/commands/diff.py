"""`dataengine diff`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine diff round-1 round-2
    dataengine diff 1 2 --html changed.html
    dataengine diff round-1 round-2 --json | jq -r '.changes[] | select(.why == "review") | .name'
"""


def diff(
    context: typer.Context,
    before: Annotated[
        str,
        typer.Argument(
            metavar="A", help="The older release: its name, the number of its round, or its folder."
        ),
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The newer one, likewise.")],
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also make a page of the changed masks side by side; overwritten.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show what changed between two releases: masks, why and by whom, splits, the student's score.

    Portraits that were added and removed, masks that changed with the number of their pixels, by
    review, relabel, certificate, import, forget or policy; and of two rounds what made the
    students' score on their test splits change. Photos that changed their split are an error: exit
    code 1. Both releases are checked against their checksums first. Folders need no workspace; who
    decided only a workspace knows.
    """
    import pipelines
    from dataengine.console.diff import exit_code, print_difference
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened_if_there

    request = pipelines.DiffRequest(before=before, after=after, html=html)
    with opened_if_there(context) as workspace, shown_progress() as progress:
        found = pipelines.diff_releases(workspace, request, progress)
    print_difference(found, html, as_json=json)
    if code := exit_code(found):
        raise typer.Exit(code)
