"""`bench models` on a console: the table, and where it is."""

import typer

from pipelines.rounds.bench import Benched


def print_benched(found: Benched) -> None:
    """The table and the files."""
    typer.echo(found.table)
    typer.echo(f"Wrote {' and '.join(map(str, found.files[:2]))}")
    for picture in found.files[2:]:
        typer.echo(f"Wrote {picture}")
