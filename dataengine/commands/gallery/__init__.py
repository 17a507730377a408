"""`dataengine gallery`: what belongs to it, one file each; alone it is `gallery_`."""

import typer

from dataengine.commands import gallery_
from dataengine.commands.gallery import pull

app = typer.Typer(epilog=gallery_.EPILOG, invoke_without_command=True, rich_markup_mode="markdown")
app.callback()(gallery_.gallery)
app.command("pull", epilog=pull.EPILOG)(pull.pull)
