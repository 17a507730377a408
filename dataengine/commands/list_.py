"""`dataengine list`."""

from typing import Annotated

import typer

from dataengine.choices import VerdictChoice

EPILOG = """
**Examples**

    dataengine list --verdict review
    dataengine list --verdict candidate --verdict review
    dataengine list --json | jq -r '.[] | select(.scores.confidence < 0.9) | .mask_path'
"""


def list_(
    context: typer.Context,
    verdict: Annotated[
        list[VerdictChoice] | None,
        typer.Option(
            metavar="<candidate|review|rejected>",
            help="Only portraits whose latest mask has it; may be given again.",
            show_default="all",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="With boxes, paths and scores.")] = False,
) -> None:
    """List the portraits, one a line.

    The JSON has of each photo_path, photo_sha256, portrait_id, face_box, crop_box, rotation,
    portrait_path, mask_path, mask_source, verdict, reasons and scores. Boxes are
    [x0, y0, x1, y1] in pixels of the EXIF-upright photo, right and bottom exclusive; what is in
    the crop box was rotated by so many degrees clockwise to be the portrait.
    """
    import pipelines
    from dataengine.console.list_ import print_portraits
    from dataengine.context import opened

    wanted = [pipelines.Verdict(each.value) for each in verdict or ()]
    with opened(context, read_only=True) as workspace:
        print_portraits(pipelines.list_portraits(workspace, wanted), as_json=json)
