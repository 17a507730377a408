"""`dataengine confirm`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine confirm ./raw/cat.jpg ./raw/cup.jpg --by ann
    dataengine confirm nobody.txt --by ann
    dataengine export --out ./portraits --negatives
"""


def confirm(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Photos that were ingested: files, folders, lists of paths, tars.",
        ),
    ],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who looked at them.")],
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Say that nobody is in these photos, so that they may be released as negatives.

    A photo in which no face was found may still show somebody, from behind: look at it first. What
    is confirmed goes into `export --negatives` with an empty mask, split and grouped like
    portraits. Photos with a face are refused.
    """
    import pipelines
    from dataengine.console.confirm import print_confirmed
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    request = pipelines.ConfirmRequest(paths=paths, by=by)
    with opened(context) as workspace, shown_progress() as progress:
        found = pipelines.confirm_faceless(workspace, request, progress)
    print_confirmed(found, as_json=json)
