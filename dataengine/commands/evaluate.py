"""`dataengine evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from dataengine.choices import NETWORK_HELP, Device
from dataengine.commands.shared.mask_options import (
    MaskChannelOption,
    MaskClass,
    MaskInvert,
    mask_options,
)
from dataengine.commands.shared.resolution import Resolution

EPILOG = """
**Examples**

    dataengine evaluate runs/sinet/last.safetensors --data ./eg1800
    dataengine evaluate SINet.pth --data ./eg1800 --split val --json | jq .mean.native_iou
    dataengine evaluate deeplabv3.onnx --data ./eg1800 --worst 16 --out worst.png
    dataengine evaluate mine.safetensors --data ./eg1800 --compare sinet:bundled
    dataengine evaluate bundled,sinet:bundled --data ./eg1800 --compare bundled
    dataengine evaluate views:sinet:bundled --data ./eg1800 --compare sinet:bundled
    dataengine evaluate sinet:bundled --resolution 320 --data ./eg1800 --compare sinet:bundled
    dataengine evaluate sinet:bundled --data ./mattes --matte
    dataengine evaluate sinet:bundled --data ./cutouts --mask-channel alpha
    dataengine evaluate runs/scenes/last.safetensors --data ./cityscapes --classes
    dataengine evaluate sinet:bundled --data ./eg1800 --slices
    dataengine evaluate sinet:bundled --data ./eg1800 --slices --attributes glasses.csv
    dataengine -w portraits evaluate sinet:current --data ./eg1800 --device cpu
"""


def evaluate(
    context: typer.Context,
    network_: Annotated[str, typer.Argument(metavar="NETWORK", help=NETWORK_HELP)],
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Data set: images/ and masks/, and splits.", show_default=False
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="Which part of it: val, test, …, or all.",
            show_default="val if there is one, else all",
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Score this one too, or this mean, and say how sure the difference is.",
            show_default=False,
        ),
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Draw the N images of lowest native_iou with both outlines, into --out.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --worst: .png or .jpg.", show_default=False),
    ] = None,
    slices: Annotated[
        bool, typer.Option("--slices", help="Score by what the images are like, and say the worst.")
    ] = False,
    attributes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --slices: table with a column `file` and one a trait (glasses, beard, …).",
            show_default=False,
        ),
    ] = None,
    matte: Annotated[
        bool,
        typer.Option(
            "--matte", help="Score the soft matte instead, on images/ and alphas/: SAD, MSE, …"
        ),
    ] = False,
    classes: Annotated[
        bool,
        typer.Option(
            "--classes",
            help="Score every class of a data set of many: classes.txt, Cityscapes or CamVid.",
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only the first N images.", show_default=False),
    ] = None,
    resolution: Resolution = None,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.AUTO,
    mask_class: MaskClass = None,
    mask_channel: MaskChannelOption = None,
    mask_invert: MaskInvert = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print all scores as JSON, also those of each image.")
    ] = False,
) -> None:
    """Score a network on images with masks.

    native_iou is the intersection over union of the person at the size of each image, mean over
    the images: judge by it. iou is the SINet authors' metric, the same at 224 × 224, to compare
    with papers: it takes the truth half a pixel off, which costs every network up to 0.6 points on
    small photos. miou is the mean of person and background, boundary_f1 the F1 score in a band of
    15 × 15 pixels around the outline, both at 224 × 224; boundary_iou the overlap of the rims at
    the size of the image. An interval holds the mean in 95 of 100 draws of as many images
    (bootstrap). With --resolution the network of --compare keeps its own.

    --matte compares the probability with alpha mattes (images/, alphas/, and trimaps/ if there are
    any, as `export --alpha` writes them), in the trimaps' unknown band and whole: SAD, Grad and
    Conn in thousands and MSE, as Rhemann et al. (2009) and Composition-1k have them.

    --slices cuts the images by size, turn, tilt, place and sharpness of the face, by brightness, by
    how light the skin looks in the photo, and by a table of your own; docs/quality.md says how.

    --classes scores a network that was trained on more than person and background: the intersection
    over union of each class by all images together, at their own size, and its mean.
    """
    import pipelines
    from dataengine.console.evaluate import print_classes, print_evaluated, print_matte
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import network, root_of

    if (worst is None) != (out is None):
        raise typer.BadParameter("--worst and --out go together", param_hint="--worst")
    if attributes is not None and not slices:
        raise typer.BadParameter("goes with --slices", param_hint="--attributes")
    if classes:
        of_people = (compare, worst, slices or None, resolution, mask_class, mask_channel)
        if any(each is not None for each in (*of_people, mask_invert or None)):
            raise typer.BadParameter(
                "goes with --split, --limit, --device and --json only", param_hint="--classes"
            )
        asked = pipelines.ClassesRequest(
            network=network(context, network_),
            data=data,
            split=split,
            limit=limit,
            device=device.value,
        )
        with shown_progress() as progress:
            print_classes(pipelines.evaluate_classes(asked, progress), as_json=json)
        return
    settings = pipelines.load_settings(root_of(context))
    if matte:
        if compare or worst or slices or mask_class or mask_channel or mask_invert:
            raise typer.BadParameter("goes with --split and --limit alone", param_hint="--matte")
        of_mattes = pipelines.MatteRequest(
            network=network(context, network_).at(resolution),
            data=data,
            split=split,
            limit=limit,
            device=device.value,
            teacher=settings.teacher,
        )
        with shown_progress() as progress:
            print_matte(pipelines.evaluate_mattes(of_mattes, progress), as_json=json)
        return
    request = pipelines.EvaluateRequest(
        network=network(context, network_).at(resolution),
        data=data,
        masks=mask_options(mask_class, mask_channel, mask_invert),
        split=split,
        compare=None if compare is None else network(context, compare),
        worst=worst or 0,
        out=out,
        slices=slices,
        attributes=attributes,
        limit=limit,
        device=device.value,
        detector=settings.detector,
        teacher=settings.teacher,
    )
    with shown_progress() as progress:
        found = pipelines.evaluate_network(request, progress)
    print_evaluated(found, as_json=json)
