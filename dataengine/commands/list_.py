"""`dataengine list`."""

from typing import Annotated

import typer

from dataengine.choices import VerdictChoice

EPILOG = """
**Examples**

    dataengine list --verdict review
    dataengine list --jsonl | jq -r 'select(.scores.confidence < 0.9) | .mask_path'
"""


def list_(
    context: typer.Context,
    verdict: Annotated[
        VerdictChoice | None,
        typer.Option(help="Only portraits whose latest mask has it.", show_default=False),
    ] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
) -> None:
    """List the portraits, one a line.

    JSON lines have image_path, image_sha256, portrait_id, face_box, crop_box, crop_path,
    mask_path, mask_source, verdict, reasons and scores. Boxes are [x0, y0, x1, y1] in pixels of
    the EXIF-upright image, right and bottom exclusive.
    """
    import pipelines
    from dataengine.console.list_ import print_portraits
    from dataengine.context import opened

    wanted = pipelines.Verdict(verdict.value) if verdict else None
    with opened(context, read_only=True) as workspace:
        print_portraits(pipelines.list_portraits(workspace, wanted), as_json=jsonl)
