"""`dataengine review`: its commands, one file each."""

import typer

from dataengine.commands.review import clicks, plan, pull, push, server, status

app = typer.Typer(
    help="Let people judge and correct masks in Label Studio.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.command("server", epilog=server.EPILOG)(server.server)
app.command("plan", epilog=plan.EPILOG)(plan.plan)
app.command("push", epilog=push.EPILOG)(push.push)
app.command("pull", epilog=pull.EPILOG)(pull.pull)
app.command("clicks", epilog=clicks.EPILOG)(clicks.clicks)
app.command("status", epilog=status.EPILOG)(status.status)
