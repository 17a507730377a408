"""`dataengine bench`: its commands, one file each."""

import typer

from dataengine.commands.bench import ablations, models

app = typer.Typer(
    help="Measure what there is to choose from.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


app.command("models", epilog=models.EPILOG)(models.models)
app.command("ablations", epilog=ablations.EPILOG)(ablations.ablations)
