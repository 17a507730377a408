"""`dataengine forget`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine forget raw/IMG_0412.jpg
    dataengine forget portrait:12 portrait:40 --yes
    dataengine forget round-3/images/1f0c9a.jpg
    dataengine forget --refused
    dataengine forget --lift raw/another_person.jpg
"""


def forget(
    context: typer.Context,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE...",
            help="Raw photos (or their paths, if they are gone), released images, SHA-256s, or "
            "portrait:ID for the photo of a portrait.",
            show_default=False,
        ),
    ] = None,
    refused: Annotated[
        bool, typer.Option("--refused", help="List the files that were taken for forgotten photos.")
    ] = False,
    lift: Annotated[
        bool,
        typer.Option("--lift", help="Let these files (or SHA-256s) in, though they were refused."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Remove a person's photo everywhere, and refuse it and its copies from now on.

    Goes: what the workspace knows of its files, crops, masks, questions, decisions, jobs and
    tasks in Label Studio. If the server cannot be reached, its tasks are deleted by the next
    `review push` or `review pull`. Stays: your own raw files, and releases that were written
    before; those are listed.

    What is kept to know copies (compressed again, resized, mirrored, cropped by up to 5 % an edge)
    cannot be turned back into the picture. `--refused` lists what was taken for a forgotten photo;
    `--lift` lets files in after all, and `ingest --retry-failed` takes them.
    """
    import pipelines
    from dataengine.console.forget import (
        confirm,
        print_forgotten,
        print_lifted,
        print_plan,
        print_refused,
    )
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    if not (images or refused) or (refused and (images or lift)):
        raise typer.BadParameter("give photos, or --refused alone", param_hint="IMAGE...")
    with opened(context) as workspace:
        if refused:
            print_refused(pipelines.list_refused(workspace), as_json=json)
            return
        request = pipelines.ForgetRequest(photos=images or ())
        if lift:
            print_lifted(pipelines.lift_refusals(workspace, request), as_json=json)
            return
        planned = pipelines.plan_forget(workspace, request)
        print_plan(planned, as_json=json)
        if not yes:
            confirm(planned)
        with shown_progress() as progress:
            done = pipelines.forget_photos(workspace, request, progress)
    print_forgotten(done, as_json=json)
