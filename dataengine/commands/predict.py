"""`dataengine predict`."""

from pathlib import Path
from typing import Annotated

import typer

from dataengine.choices import NETWORK_HELP, Device
from dataengine.commands.shared.resolution import Resolution

EPILOG = """
**Examples**

    dataengine predict sinet:bundled portrait.jpg --out masks
    dataengine predict SINet.pth ./photos --out masks --overlay
    dataengine predict sinet:bundled portrait.jpg --out seen --attention
    dataengine predict sinet:bundled ./photos --out quick --resolution 160
    dataengine predict sinet:bundled,deeplabv3.onnx ./photos --out mean
    dataengine predict deeplabv3.onnx talk.mp4 --out masks --threshold 0.5
"""


def predict(
    context: typer.Context,
    network_: Annotated[str, typer.Argument(metavar="NETWORK", help=NETWORK_HELP)],
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Pictures, videos, and folders of them."),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where the masks go.", show_default=False),
    ],
    overlay: Annotated[
        bool,
        typer.Option("--overlay", help="Also write the picture or video with the person tinted."),
    ] = False,
    attention: Annotated[
        bool,
        typer.Option(
            "--attention",
            help="Also write, of pictures, what a sinet or sanet attends to: where SINet doubts, "
            "the maps of SANet's heads.",
        ),
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Write white where the probability is above it, black elsewhere.",
            show_default="grey, probability × 255",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there already.")
    ] = False,
    resolution: Resolution = None,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.AUTO,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Find the person in pictures and videos.

    Of a picture a grey PNG of its upright size is written, of a video a folder NAME.masks with a
    PNG a frame; overlays are NAME.overlay.jpg and NAME.overlay.mp4, attention maps
    NAME.attention-MAP.jpg. Paths below a folder are kept
    below the out folder, and nothing is written elsewhere. A file that cannot be read is told and
    left out; the exit code is 1 only if there is no other.
    """
    import pipelines
    from dataengine.console.predict import print_predicted
    from dataengine.console.shared.progress import shown_progress
    from dataengine.console.shared.signals import exit_on_interrupt
    from dataengine.context import network, root_of

    request = pipelines.PredictRequest(
        network=network(context, network_).at(resolution),
        paths=paths,
        out=out,
        overlay=overlay,
        attention=attention,
        threshold=threshold,
        overwrite=overwrite,
        device=device.value,
        teacher=pipelines.load_settings(root_of(context)).teacher,
    )
    stopped = "Stopped; what is in the out folder is whole."
    with exit_on_interrupt(stopped), shown_progress() as progress:
        done = pipelines.predict_pictures(request, progress)
    print_predicted(done, as_json=json)
