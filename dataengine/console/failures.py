"""`failures` on a console: three lines each, or JSON."""

from collections.abc import Sequence

import typer

from dataengine.console.shared.text import print_json, printable
from pipelines.portraits.failures import Failure


def print_failures(found: Sequence[Failure], *, as_json: bool) -> None:
    """Each with its path, stage and whole reason."""
    if as_json:
        print_json([each.as_dict() for each in found])
        return
    for each in found:
        portrait = f" (portrait {each.portrait_id})" if each.portrait_id is not None else ""
        typer.echo(f"{printable(each.path or '(overwritten)')}{portrait}")
        typer.echo(f"  {each.stage}: {each.reason}")
        typer.echo(f"  {printable(each.error)}")
    typer.echo(f"{len(found):,} failed")
