"""`dataengine explain`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine explain releases/round-3/images/1f0c9a.jpg
    dataengine explain releases/round-3/masks/1f0c9a.png:120,45
    dataengine explain raw/IMG_0412.jpg --json
"""


def explain(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:x,y]",
            help="A released image or mask, or a raw photo, or a copy of one; and a pixel of it.",
            show_default=False,
        ),
    ],
    json: Annotated[
        bool, typer.Option("--json", help="Everything that is known, as JSON.")
    ] = False,
) -> None:
    """Tell where an image, a mask or one pixel came from, and where it went.

    The raw photo and the pixel in it, crop, detector, every revision of the mask with its network
    and weights, scores, verdict and settings, what people decided, and the releases and training
    runs it went into. Files are known by their bytes, wherever they lie.
    """
    import pipelines
    from dataengine.console.explain import print_explanation
    from dataengine.context import opened

    path, point = pipelines.parse_point(file)
    with opened(context, read_only=True) as workspace:
        found = pipelines.explain_file(workspace, path, point)
    print_explanation(found, as_json=json)
