"""The command line: global options, the commands, and the one place where errors become text."""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from dataengine.commands import (
    backup,
    bench,
    certify,
    confirm,
    convert,
    demo,
    diff,
    evaluate,
    explain,
    export,
    failures,
    forget,
    gallery,
    gc,
    ingest,
    init,
    list_,
    migrate_database,
    models,
    predict,
    publish,
    relabel,
    report,
    restore,
    review,
    rounds,
    scores,
    show,
    status,
    train,
    upgrade,
    verify,
    web,
)
from dataengine.context import GlobalOptions
from sinet.escaping import printable

app = typer.Typer(
    name="dataengine",
    help="A data engine for portrait segmentation: raw photos in, portraits with trusted masks "
    "out, and a small network trained on them, round after round.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"dataengine {version('portrait-dataengine')}")
        raise typer.Exit


@app.callback()
def global_options(
    context: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace",
            "-w",
            help="Folder of the workspace; default DATAENGINE_WORKSPACE or the current folder.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Options that every command shares."""
    del version, debug  # debug: read by `main`, which also sees errors that come before this line
    context.obj = GlobalOptions(workspace)


app.command("demo", epilog=demo.EPILOG)(demo.demo)
app.command("init", epilog=init.EPILOG)(init.init)
app.command("ingest", epilog=ingest.EPILOG)(ingest.ingest)
app.command("status", epilog=status.EPILOG)(status.status)
app.command("failures", epilog=failures.EPILOG)(failures.failures)
app.command("list", epilog=list_.EPILOG)(list_.list_)
app.command("show", epilog=show.EPILOG)(show.show)
app.command("diff", epilog=diff.EPILOG)(diff.diff)
app.command("report", epilog=report.EPILOG)(report.report)
app.command("confirm", epilog=confirm.EPILOG)(confirm.confirm)
app.command("export", epilog=export.EPILOG)(export.export)
app.command("publish", epilog=publish.EPILOG)(publish.publish)
app.command("models", epilog=models.EPILOG)(models.models)
app.command("train", epilog=train.EPILOG)(train.train)
app.command("relabel", epilog=relabel.EPILOG)(relabel.relabel)
app.command("rounds", epilog=rounds.EPILOG)(rounds.rounds)
app.command("evaluate", epilog=evaluate.EPILOG)(evaluate.evaluate)
app.command("predict", epilog=predict.EPILOG)(predict.predict)
app.command("convert", epilog=convert.EPILOG)(convert.convert)
app.command("web", epilog=web.EPILOG)(web.web)
app.command("explain", epilog=explain.EPILOG)(explain.explain)
app.command("upgrade", epilog=upgrade.EPILOG)(upgrade.upgrade)
app.command("migrate-database", epilog=migrate_database.EPILOG)(migrate_database.migrate_database)
app.command("backup", epilog=backup.EPILOG)(backup.backup)
app.command("restore", epilog=restore.EPILOG)(restore.restore)
app.command("verify", epilog=verify.EPILOG)(verify.verify)
app.command("gc", epilog=gc.EPILOG)(gc.gc)
app.command("forget", epilog=forget.EPILOG)(forget.forget)
app.command("certify", epilog=certify.EPILOG)(certify.certify)
app.add_typer(gallery.app, name="gallery")
app.add_typer(review.app, name="review")
app.add_typer(scores.app, name="scores")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Entry point: run a command and turn what it raises into one line and an exit code."""
    # Pillow warns of every odd EXIF block, OpenCV logs every odd file; what matters becomes an
    # item's failure.
    warnings.filterwarnings("ignore", module="PIL")
    for name, silent in (("OPENCV_LOG_LEVEL", "OFF"), ("OPENCV_FFMPEG_LOGLEVEL", "-8")):
        os.environ.setdefault(name, silent)
    try:
        app(prog_name="dataengine")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"error: {printable(_explain(error))}", err=True)
        sys.exit(1)


def _explain(error: Exception) -> str:
    from db import DatabaseError, explain
    from pipelines.workspace.errors import PipelineError, explain_foreign
    from sinet.errors import SINetError

    if isinstance(error, PipelineError | DatabaseError | SINetError):
        return str(error)
    reason = f"{type(error).__name__}: {error}"
    unexpected = f"unexpected {reason}; please report it with the output of --debug"
    return explain(error) or explain_foreign(error) or unexpected
