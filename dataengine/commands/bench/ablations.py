"""`dataengine bench ablations`."""

from pathlib import Path
from typing import Annotated

import typer

from dataengine.choices import Device

EPILOG = """
**Examples**

    dataengine bench ablations
    dataengine bench ablations --network sinet --data ./eg1800 --epochs 20 --seeds 3
    dataengine bench ablations --rows sinet-blocking-off,sinet-dilation --data ./eg1800
    dataengine bench ablations --network sinet --data ./eg1800 --report --csv
"""


def ablations(
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Whose article's table: sinet, cgnet, liteseg or sanet; several times for more.",
            show_default="all",
        ),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,NAME]...",
            help="Only these rows, and the first of their table; several times for more.",
            show_default="all",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Data set to train on, with the splits train and val, which is scored.",
            show_default="nothing is trained or scored",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of every training.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of every row.")] = 1,
    side: Annotated[int, typer.Option(metavar="PX", help="Of the square images.")] = 160,
    runs: Annotated[int, typer.Option(min=0, help="Rounds of timing; 0: none.")] = 20,
    device: Annotated[Device, typer.Option(help="Where they are trained.")] = Device.AUTO,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results.")] = Path(
        "ablations"
    ),
    report: Annotated[
        bool, typer.Option("--report", help="Train nothing: tell what was trained in --out.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Train and compare what the articles compare: modules, losses, rivals.

    Every row is a configuration: a network with an option or the weight of a loss changed, or
    another network, trained by its portrait recipe for as many epochs. Told are parameters, MACs,
    latency on one thread, scores, the difference to the table's first row with its interval, and
    what an article says of it. Each training has a folder below runs/ with its log and scores; the
    same command goes on where it was stopped. Networks of more than 2 G MACs are trained on a GPU
    only. Writes ablations.md, ablations.csv and ablations.json after every training.
    """
    if csv and json:
        raise typer.BadParameter("give one of them", param_hint="--csv, --json")
    import pipelines
    from dataengine.console.bench.ablations import print_ablated
    from dataengine.console.shared.progress import shown_progress

    request = pipelines.AblationRequest(
        tables=network or (),
        rows=[name for each in rows or () for name in each.split(",")],
        data=data,
        epochs=epochs,
        seeds=seeds,
        side=side,
        runs=runs,
        out=out,
        device=device.value,
        report=report,
    )
    with shown_progress() as progress:
        print_ablated(pipelines.bench_ablations(request, progress), as_csv=csv, as_json=json)
