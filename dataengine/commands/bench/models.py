"""`dataengine bench models`."""

from pathlib import Path
from typing import Annotated

import typer

from dataengine.choices import Device

EPILOG = """
**Examples**

    dataengine bench models
    dataengine bench models sinet cgnet --data ./eg1800 --epochs 20 --out bench
    dataengine bench models sinet --json | jq '.rows[].speed.exported_ms'
    dataengine bench models --network sinet:bundled --resolution 160 --resolution 224
    dataengine bench models --network sinet:bundled --onnx mediapipe_selfie.onnx --data ./eg1800
"""


def models(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Networks; `dataengine models` lists them.",
            show_default="all, or with --network or --onnx none",
        ),
    ] = None,
    network_: Annotated[
        list[str] | None,
        typer.Option(
            "--network",
            metavar="NETWORK",
            help="A network with weights, measured as it is, beside them: bundled, sinet:bundled, "
            "sinet:current, or a file. Several times for several.",
            show_default=False,
        ),
    ] = None,
    onnx: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="An exported network likewise, of whatever origin.",
            show_default=False,
        ),
    ] = None,
    resolution: Annotated[
        list[int] | None,
        typer.Option(
            min=32,
            metavar="PX",
            help="Side of the input of the networks of --network, a multiple of 32; several times "
            "for a row each.",
            show_default="as their files say",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Data set to train on, with the splits train and val; networks that have their "
            "weights are only scored, on val if there is one, else on all of it.",
            show_default="nothing is trained or scored",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of every training.")] = 20,
    side: Annotated[int, typer.Option(metavar="PX", help="Of the square images.")] = 224,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each kind.")] = 20,
    device: Annotated[Device, typer.Option(help="Where they are trained.")] = Device.AUTO,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results.")] = Path(
        "bench"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Compare the networks in one table, measured in one run.

    Parameters, MACs, size, latency in PyTorch and exported, on one thread and on two, peak memory
    and, with --data, native IoU, the authors' IoU and boundary F1 after the same number of epochs,
    of --network and --onnx as they are. Writes models.md, models.json and, with --data, models.png.
    Networks of more than 2 G MACs are trained on a GPU only. The same command goes on with
    trainings that were interrupted.
    """
    import pipelines
    from dataengine.console.bench.models import print_benched
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import network, root_of

    given = [network(context, name) for name in network_ or ()]
    given = [each.at(side) for each in given for side in resolution or (None,)]
    request = pipelines.BenchRequest(
        models=names or (),
        networks=[*given, *(network(context, f"onnx:{file}") for file in onnx or ())],
        data=data,
        epochs=epochs,
        side=side,
        runs=runs,
        out=out,
        device=device.value,
        teacher=pipelines.load_settings(root_of(context)).teacher,
    )
    with shown_progress() as progress:
        print_benched(pipelines.bench_networks(request, progress), as_json=json)
