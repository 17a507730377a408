"""`dataengine bench`: its commands, one file each."""

import typer

from dataengine.commands.bench import models

app = typer.Typer(
    help="Measure what there is to choose from.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.callback()
def _bench() -> None:
    """Keep `models` a command of its own: typer makes a single command the whole app."""


app.command("models", epilog=models.EPILOG)(models.models)
