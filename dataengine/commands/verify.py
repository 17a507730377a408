"""`dataengine verify`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine verify
    dataengine verify --repair
    dataengine verify round-3
    dataengine verify /mnt/copy/round-3 --checksum 3f0c9a…
    dataengine verify /mnt/copy/round-3 --json | jq -r '.problems[].message'
"""


def verify(
    context: typer.Context,
    release: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]",
            help="Name of a release, or the folder of one, wherever it was copied to.",
            show_default="the whole workspace",
        ),
    ] = None,
    checksum: Annotated[
        str | None,
        typer.Option(
            metavar="SHA256",
            help="What `export` printed when it wrote the folder: it has to be that release.",
            show_default=False,
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="First make missing and damaged blobs again: crops from their photos, masks by "
            "the networks and settings that made them.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Check that everything is what it was: every blob, reference, release and checkpoint.

    Names each flipped byte, missing blob, row without a blob, and file that does not belong, links
    and pipes among them; then the exit code is 1. A folder is checked against its checksums.txt
    and needs no workspace; one that this workspace never sealed, however sound in itself, ends
    with 3, unless --checksum tells which release it is. Photos that were forgotten since a release
    was written are a note.
    """
    import pipelines
    from dataengine.console.shared.progress import shown_progress
    from dataengine.console.verify import exit_code, print_report
    from dataengine.context import opened, opened_if_there

    is_folder = release is not None and Path(release).is_dir()
    if checksum is not None and not is_folder:
        raise typer.BadParameter("is for a folder", param_hint="--checksum")
    if repair and release is not None:
        raise typer.BadParameter("is not for releases, which never change", param_hint="--repair")
    with shown_progress() as progress:
        if release is not None and is_folder:
            # Whole or not wherever it is: a workspace only adds what it knows of it.
            with opened_if_there(context) as known:
                report = pipelines.verify_folder(
                    Path(release), progress, workspace=known, checksum=checksum
                )
        elif repair:
            with opened(context) as workspace:
                report = pipelines.repair_workspace(workspace, progress)
        else:
            request = pipelines.VerifyRequest(release=release)
            with opened(context, read_only=True) as workspace:
                report = pipelines.verify_workspace(workspace, request, progress)
    print_report(report, as_json=json)
    if code := exit_code(report):
        raise typer.Exit(code)
