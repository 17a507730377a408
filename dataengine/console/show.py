"""`show` on a console."""

from pathlib import Path

import typer

from dataengine.console.shared.text import printable


def print_drawn(path: Path) -> None:
    """Where the picture is."""
    typer.echo(f"Wrote {printable(str(path))}")
