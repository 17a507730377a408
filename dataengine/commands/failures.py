"""`dataengine failures`."""

from typing import Annotated

import typer

from dataengine.choices import StageChoice

EPILOG = """
**Examples**

    dataengine failures
    dataengine failures --stage import
    dataengine failures --json | jq -r '.[] | select(.reason == "truncated") | .path'
"""


def failures(
    context: typer.Context,
    stage: Annotated[
        StageChoice | None,
        typer.Option(
            help="Only of this step: read (the file), detect (decode, find faces), import (a "
            "person's mask), label (ask the teacher), relabel (ask a student), signals and traits "
            "(what scores and slices need).",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """List what failed: each file with its path, the step, and the whole reason.

    Once the cause is gone, `dataengine ingest --retry-failed` does these again, and only these;
    new masks by a student, signals and traits come with the next command that needs them.
    """
    import pipelines
    from dataengine.console.failures import print_failures
    from dataengine.context import opened

    wanted = pipelines.Stage(stage.value) if stage else None
    with opened(context, read_only=True) as workspace:
        print_failures(list(pipelines.list_failures(workspace, wanted)), as_json=json)
