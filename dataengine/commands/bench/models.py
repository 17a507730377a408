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
"""


def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Networks; `dataengine models` lists them.",
            show_default="all",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Data set to train all of them on, with the splits train and val.",
            show_default="nothing is trained",
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

    Parameters, MACs, latency in PyTorch and exported, on one thread and on two, peak memory and,
    with --data, IoU and boundary F1 after the same number of epochs. Writes models.md, models.json
    and, if something was trained, models.png. Networks of more than 2 G MACs are trained on a GPU
    only. The same command goes on with trainings that were interrupted.
    """
    import pipelines
    from dataengine.console.bench.models import print_benched
    from dataengine.console.shared.progress import shown_progress

    request = pipelines.BenchRequest(
        models=names or (),
        data=data,
        epochs=epochs,
        side=side,
        runs=runs,
        out=out,
        device=device.value,
    )
    with shown_progress() as progress:
        print_benched(pipelines.bench_networks(request, progress), as_json=json)
