"""`dataengine scores`: its commands, one file each."""

import typer

from dataengine.commands.scores import drift, fit, show, slices

app = typer.Typer(
    help="Learn from people's decisions which masks are probably bad.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.command("fit", epilog=fit.EPILOG)(fit.fit)
app.command("show", epilog=show.EPILOG)(show.show)
app.command("slices", epilog=slices.EPILOG)(slices.slices)
app.command("drift", epilog=drift.EPILOG)(drift.drift)
