"""`dataengine train`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dataengine.choices import Device, MinSourceChoice
from dataengine.commands.shared.mask_options import (
    MaskChannelOption,
    MaskClass,
    MaskInvert,
    mask_options,
)
from pipelines.workspace.defaults import HELD_OUT

EPILOG = """
**Examples**

    dataengine train --round 3
    dataengine train --round 3 --init sinet:current --epochs 40
    dataengine train --data ./eg1800
    dataengine train --data ./eg1800 --out runs/first --epochs 20
    dataengine train --data ./eg1800 --out runs/first --resume
    dataengine train --data ./eg1800 --config paper --device cuda
    dataengine train --data ./eg1800 --nproc 2
    dataengine train --data ./eg1800 --teacher onnx:deeplabv3.onnx
    dataengine train --data ./eg1800 --teacher bundled,onnx:deeplabv3.onnx --out runs/of-two
    dataengine train --data ./eg1800 --init sinet:bundled --epochs 30
    dataengine train --data ./eg1800 --data ./mine --out runs/both
    dataengine train --data ./eg1800 --model liteseg --backbone mobilenet_v2 --pretrained
    dataengine train --data ./eg1800 --config mine.toml --json
    dataengine train --data ./voc --mask-class 15
"""


def train(
    context: typer.Context,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Data set: images/ and masks/, with train.txt or a folder train/ if only a part "
            "of it is to be learnt from; or shards, train-000000.tar. Several times: they are "
            "learnt from together.",
            show_default=False,
        ),
    ] = None,
    round_: Annotated[
        int | None,
        typer.Option(
            "--round",
            min=1,
            metavar="N",
            help="Instead of --data: the workspace's trusted portraits, frozen as release round-N.",
            show_default=False,
        ),
    ] = None,
    min_source: Annotated[
        MinSourceChoice | None,
        typer.Option(
            help="With --round, when it is frozen: what a mask needs, as for `export`.",
            show_default="any",
        ),
    ] = None,
    negatives: Annotated[
        bool,
        typer.Option(
            "--negatives",
            help="With --round, when it is frozen: also photos that nobody is in, as for `export`.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="With --round: promote the student whatever it scores."),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Network; `dataengine models` lists them.",
            show_default="the recipe's, sinet",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Backbone of a network that has a choice.",
            show_default="the network's first",
        ),
    ] = None,
    output_stride: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How far LiteSeg's backbone shrinks the image: 8, 16 or 32.",
            show_default="the paper's",
        ),
    ] = None,
    pretrained: Annotated[
        bool,
        typer.Option(
            "--pretrained", help="Start with a backbone trained on ImageNet; downloaded once."
        ),
    ] = False,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="paper, portrait, NAME (a network's paper), NAME-portrait, or a TOML or JSON "
            "file of settings.",
            show_default="portrait or the network's; with --resume the run's",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=0, help="Of the whole network.", show_default="the recipe's"),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of the whole network, shared out over its epochs: to compare trainings on "
            "collections of different sizes.",
            show_default="the recipe's: an epoch shows every image once",
        ),
    ] = None,
    stage_epochs: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of the first stage: the encoder alone with its head at 1/8 of the size.",
            show_default="the recipe's",
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Start from these weights: bundled, sinet:bundled, sinet:current or a checkpoint.",
            show_default="random weights",
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Distil from this network, too; any that `ingest` takes, or the mean of several "
            "(A,B). Its soft masks are kept in the run's folder.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where it is trained.")] = Device.AUTO,
    nproc: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes that train together (torchrun), each with its part of every batch: one "
            "a GPU, or on a CPU with its share of the cores. N may be another one at --resume.",
        ),
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of everything that chance decides.", show_default="the recipe's"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, to the same numbers.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the run.",
            show_default="runs/MODEL in the workspace or current folder",
        ),
    ] = None,
    held_out: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.9,
            help="Part of the training images never learnt from and scored after every epoch; "
            "always the same ones.",
            show_default=f"{HELD_OUT}; with --round its split val",
        ),
    ] = None,
    mask_class: MaskClass = None,
    mask_channel: MaskChannelOption = None,
    mask_invert: MaskInvert = False,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train a network on images with masks, or a round's student on the workspace's portraits.

    With --data it learns from the split `train` (train.txt or train/), or, without one, from
    everything that is in neither `val` nor `test`. After every epoch the weights
    (last.safetensors), the curves (log.csv, TensorBoard) and the state of the run are on disk: stop
    it with Ctrl-C, kill it, and `--resume` ends at the same numbers as if nothing had happened.

    With --round the trusted portraits are frozen as a release, unchanged for ever after; the
    student is scored on its test split and becomes `sinet:current` if it is better than the last
    one beyond chance. The same command goes on with an interrupted round.

    Settings are those of `sinet.training.TrainingConfig`; a run writes its own to config.json.
    """
    _check_usage(
        data=data, round_=round_,
        of_data=(out, held_out, resume or None, mask_class, mask_channel, mask_invert or None),
        of_round=(min_source, negatives or None, force or None),
    )  # fmt: skip
    import pipelines
    from dataengine.console.shared.progress import shown_progress
    from dataengine.console.train import print_round, print_trained
    from dataengine.context import network, opened, root_of

    def named(name: str | None) -> pipelines.NetworkRef | None:
        if name is None:
            return None
        # A round opens its workspace anyway, and knows there what sinet:current is.
        return network(context, name) if round_ is None else pipelines.parse_network(name)

    student: dict[str, Any] = {
        "config": config,
        "model": model,
        "backbone": backbone,
        "output_stride": output_stride,
        "pretrained": pretrained,
        "epochs": epochs,
        "steps": steps,
        "stage_epochs": stage_epochs,
        "init": named(init),
        "teacher": named(teacher),
        "device": device.value,
        "seed": seed,
        "nproc": nproc,
    }
    if data:
        request = pipelines.TrainRequest(
            data=tuple(data),
            masks=mask_options(mask_class, mask_channel, mask_invert),
            out=out,
            runs=root_of(context) / "runs",
            held_out=HELD_OUT if held_out is None else held_out,
            resume=resume,
            **student,
        )
        with shown_progress() as progress:
            trained = pipelines.train_network(request, progress)
        print_trained(request, trained, as_json=json)
    elif round_ is not None:
        needs = pipelines.MinSource((min_source or MinSourceChoice.ANY).value)
        of_round = pipelines.RoundRequest(
            round=round_, min_source=needs, negatives=negatives, force=force, **student
        )
        with opened(context) as workspace, shown_progress() as progress:
            found = pipelines.train_round(workspace, of_round, progress)
        print_round(found, as_json=json)


def _check_usage(
    *,
    data: list[Path] | None,
    round_: int | None,
    of_data: tuple[object, ...],
    of_round: tuple[object, ...],
) -> None:
    """Refuse options that do not go together; what was not given is None."""
    if bool(data) == (round_ is not None):
        raise typer.BadParameter(
            "give either --round N or --data DIR", param_hint="--round, --data"
        )
    if round_ is not None and any(value is not None for value in of_data):
        raise typer.BadParameter(
            "a round has its own folder and resumes by itself; leave out --out, --held-out, "
            "--resume and --mask-…",
            param_hint="--round",
        )
    if data and any(value is not None for value in of_round):
        raise typer.BadParameter(
            "--min-source, --negatives and --force go with --round", param_hint="--data"
        )
