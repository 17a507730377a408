"""`dataengine migrate-database`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine -w portraits migrate-database postgresql://anna@db.example.org/portraits
    dataengine migrate-database sqlite:///back.db
"""


def migrate_database(
    context: typer.Context,
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="Of an empty database: `postgresql://USER@HOST/NAME`, its password in PGPASSWORD "
            "or ~/.pgpass; or `sqlite:///FILE` in the workspace.",
        ),
    ],
) -> None:
    """Move a workspace's rows to another database: from a file to a PostgreSQL server, or back.

    Every row is copied and compared, in one transaction; then the settings name the new database.
    The old one stays as it was. Nobody else may be at work. Until the end, and if it fails, the
    workspace is where it was.
    """
    import pipelines
    from dataengine.console.migrate_database import print_moved
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    with opened(context) as workspace, shown_progress() as progress:
        print_moved(pipelines.migrate_database(workspace, url, progress))
