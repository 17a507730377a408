"""`dataengine gallery pull`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine gallery pull --by ann@example.org
    dataengine gallery pull --by ann@example.org --json
"""


def pull(
    context: typer.Context,
    by: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Who tagged: the address that Label Studio knows, if it does."
        ),
    ],
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Of the gallery.",
            show_default="the workspace's, in ~/.local/share/dataengine",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Take over what was tagged in the gallery, each tag once.

    `reject` is a decision of NAME that the mask is not to be used. `review` and `fix` call for
    others: the next `dataengine review push` asks about these masks first, before any other,
    `fix` before `review`. A tag that was taken away again is taken back. The gallery may be
    running or not. Pulling twice changes nothing.
    """
    import pipelines
    from dataengine.console.gallery.pull import print_pulled_tags
    from dataengine.context import opened, root_of

    with opened(context) as workspace:
        folder = data_dir or pipelines.default_gallery_dir(root_of(context))
        found = pipelines.pull_tags(workspace, pipelines.settled_journal(folder), by)
    print_pulled_tags(found, as_json=json)
