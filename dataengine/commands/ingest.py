"""`dataengine ingest`."""

from pathlib import Path
from typing import Annotated

import typer

from dataengine.choices import NETWORK_HELP, Device
from dataengine.commands.shared.cluster_option import OnCluster
from dataengine.commands.shared.mask_options import (
    MaskChannelOption,
    MaskClass,
    MaskInvert,
    said_of_masks,
)

EPILOG = """
**Examples**

    dataengine ingest ./raw
    dataengine -w portraits ingest ./raw more.tar list.txt --limit 1000
    dataengine ingest ./raw --teacher bundled
    dataengine ingest ./raw --teacher onnx:deeplabv3.onnx
    dataengine ingest ./raw --teacher sinet:runs/sinet/last.safetensors
    dataengine ingest ./more --second-opinion sinet:current
    dataengine ingest ./photos --masks ./hand_masks
    dataengine ingest ./photos --masks ./photos --mask-pattern '{stem}_mask.png'
    dataengine ingest ./photos --masks ./SegmentationClass --mask-class 15
    dataengine ingest ./raw --origin manifest.csv
    dataengine ingest s3://crawls/2024/ --limit 1000
    dataengine ingest addresses.txt --download
    dataengine ingest s3://crawls/2024/ --on ray
    dataengine ingest --retry-failed
"""


def ingest(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Folders (recursive), files, lists of paths, tars, zips, Parquet files of images "
            "or addresses; also elsewhere: s3://, gs://, az://, hf://, https://.",
            show_default=False,
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Who proposes the masks; how far each of several is from their mean becomes a "
            f"score: {NETWORK_HELP}",
            show_default="auto",
        ),
    ] = None,
    teacher_weights: Annotated[
        Path | None,
        typer.Option(
            help="State dict of the torchvision teacher, for machines without internet.",
            show_default=False,
        ),
    ] = None,
    second_opinion: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Ask another network, too: how far its mask is from the teacher's becomes a "
            "score, for `review push --order disagreement`, and helps the combined score most. "
            "`none`: nobody.",
            show_default="bundled,sinet:bundled",
        ),
    ] = None,
    views: Annotated[
        bool | None,
        typer.Option(
            "--views/--no-views",
            help="Ask the teacher about the mirror image and two scales, too: without a second "
            "opinion a few more bad masks are found; labelling takes four times as long.",
            show_default="no",
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of masks made by people; they are imported instead of asking a teacher. "
            "A mask has the path of its photo, or at least its name: a.jpg, and a.png, "
            "a_mask.png or a.jpg.png.",
            show_default=False,
        ),
    ] = None,
    mask_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="How masks are named after their photos, in words of {stem}, {name} (with "
            "suffix) and {parent} (folder): '{stem}_mask.png'.",
            show_default=False,
        ),
    ] = None,
    mask_class: MaskClass = None,
    mask_channel: MaskChannelOption = None,
    mask_invert: MaskInvert = False,
    origin: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Table of where the photos came from (CSV, TSV, Parquet, JSON lines): a column "
            "`file`, and any of url, page, author, licence, noai, robots, consent, downloaded_at. "
            "What img2dataset wrote, and what the photos say of themselves, is read anyway.",
            show_default=False,
        ),
    ] = None,
    download: Annotated[
        bool,
        typer.Option(
            "--download",
            help="Fetch the addresses in lists, too; without it they are counted and named.",
        ),
    ] = False,
    device: Annotated[
        Device | None, typer.Option(help="Where networks run.", show_default="auto")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Items a worker takes at once.", show_default="4, on a GPU 32"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Worker processes; 0 works in this one.",
            show_default="one a core, or a GPU",
        ),
    ] = None,
    on: OnCluster = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Take at most N new files.", metavar="N", show_default=False),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Look for nothing new: do what failed again, everywhere or in the paths given.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken in; write nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Turn raw photos into portraits with masks, scores and reasons.

    Finds faces, crops a portrait around each, asks a teacher network where the person is, keeps
    the main subject and judges the mask: candidate, review or rejected, with reasons. Makes the
    workspace if there is none.

    Everything is recorded as it is done. Stop it with Ctrl-C, kill it, run it again: it goes on
    where it was, does nothing twice and loses nothing. Files that fail are counted with their
    reason and never become empty masks.
    """
    import pipelines
    from dataengine.console.ingest import print_ingested, print_plan
    from dataengine.console.shared.progress import shown_progress
    from dataengine.console.shared.signals import INTERRUPTED
    from dataengine.context import root_of

    if mask_pattern is not None and masks is None:
        raise typer.BadParameter("says how masks are named: give --masks", param_hint="PATTERN")
    if not paths and not retry_failed:
        raise typer.BadParameter("give at least one PATH, or --retry-failed", param_hint="PATH")
    root = root_of(context)
    settings = pipelines.load_settings(
        root,
        {
            "masks": said_of_masks(mask_class, mask_channel, mask_invert),
            "teacher": {
                "name": teacher,
                "weights": teacher_weights and str(teacher_weights),
                "second_opinion": second_opinion,
                "views": views,
            },
            "engine": {
                "device": device and device.value,
                "batch_size": batch_size,
                "workers": workers,
            },
        },
    )
    request = pipelines.IngestRequest(
        paths=paths or (),
        masks=masks,
        mask_pattern=mask_pattern,
        origin=origin,
        download=download,
        limit=limit,
        retry_failed=retry_failed,
        on=on,
    )
    if dry_run:
        print_plan(pipelines.plan_ingest(root, settings, request), as_json=json)
        return
    with shown_progress(stoppable=True) as progress:
        workspace = pipelines.open_for_ingest(root, settings, request, progress)
        try:
            result = pipelines.ingest_photos(workspace, request, progress)
            state = pipelines.workspace_status(workspace).funnel
        finally:
            workspace.close()
    print_ingested(result, state, as_json=json)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
