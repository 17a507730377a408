"""`dataengine export`."""

from pathlib import Path
from typing import Annotated

import typer

from dataengine.choices import FormatChoice, MinSourceChoice

EPILOG = """
**Examples**

    dataengine export --out ./portraits
    dataengine export --out ./coco --format coco --min-source human
    dataengine export --out ./portraits --negatives
    dataengine export --out ./mattes --alpha
    dataengine export --out ./shards --round 3 --format webdataset
    dataengine export --out ./more-shards --format webdataset --workers 4
    dataengine export --out ./hub --format hf
"""


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make.", show_default=False)],
    format_: Annotated[
        FormatChoice,
        typer.Option(
            "--format",
            help="folder: images/, masks/ and lists, as `train --data` reads it; coco: RLE; "
            "webdataset: tar shards; parquet: tables; hf: a dataset repository of the Hugging Face "
            "Hub, with README and Croissant; yolo: a polygon a portrait.",
        ),
    ] = FormatChoice.FOLDER,
    min_source: Annotated[
        MinSourceChoice,
        typer.Option(
            help="What a mask needs: human: a person's decision in review; certified: that or a "
            "certificate; any: also masks that came with their images."
        ),
    ] = MinSourceChoice.ANY,
    round_: Annotated[
        int | None,
        typer.Option(
            "--round",
            min=1,
            metavar="N",
            help="The frozen set of this round instead of what is trusted now.",
            show_default=False,
        ),
    ] = None,
    negatives: Annotated[
        bool,
        typer.Option(
            "--negatives",
            help="Also the photos that nobody is in, as `confirm` noted, with an empty mask each.",
        ),
    ] = False,
    alpha: Annotated[
        bool,
        typer.Option(
            "--alpha",
            help="Also alphas/ and trimaps/: soft edges, and where nobody knows; format folder.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Shards that are written at the same time (webdataset, parquet, hf); they are the "
            "same bytes however many.",
            show_default="1",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Write the trusted portraits as a dataset.

    The latest trusted mask of every portrait: accepted or fixed by a person, imported, or accepted
    under a certificate. Splits are decided once for a group of near-duplicates and never change.
    The folder appears when it is complete, with card.md, manifest.jsonl and checksums.txt; nothing
    is ever overwritten, and the same state of the workspace makes the same bytes.
    """
    if alpha and format_ is not FormatChoice.FOLDER:
        raise typer.BadParameter("is for the format folder", param_hint="--alpha")
    if workers is not None and format_.value not in ("webdataset", "parquet", "hf"):
        raise typer.BadParameter(
            f"{format_.value} has no shards: for webdataset, parquet and hf",
            param_hint="--workers",
        )
    if negatives and round_ is not None:
        raise typer.BadParameter("a frozen round has what it has", param_hint="--negatives")
    import pipelines
    from dataengine.console.export import print_exported
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    request = pipelines.ExportRequest(
        out=out,
        format=pipelines.Format(format_.value),
        min_source=pipelines.MinSource(min_source.value),
        round=round_,
        negatives=negatives,
        alpha=alpha,
        workers=workers or 1,
    )
    with opened(context) as workspace, shown_progress() as progress:
        found = pipelines.export_release(workspace, request, progress)
    print_exported(found, as_json=json)
