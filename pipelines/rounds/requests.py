"""What a training is asked for: on a folder of images and masks, or on a round."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.networks import NetworkRef
from pipelines.portraits.standing import MinSource
from pipelines.workspace.defaults import HELD_OUT
from sinet.pictures.mask_options import SELF_EXPLAINING, MaskOptions


@dataclass(frozen=True, kw_only=True)
class StudentRequest:
    """How a student is made, whatever it learns from. None: as the recipe says.

    Attributes:
        config: recipe, or a file of settings; None: a resumed run's own, else the network's.
        model: network; `sinet.list_networks` has them.
        backbone: of a network that has a choice.
        output_stride: how far LiteSeg's backbone shrinks the image.
        pretrained: start with a backbone trained on ImageNet.
        epochs: of the whole network.
        steps: of the whole network, over all its epochs; None: an epoch shows every image once.
        stage_epochs: of the first stage, the encoder alone.
        init: network whose weights it starts from; None: random ones.
        teacher: network to distil from; None: none, or that of a resumed run.
        device: `auto`, `cpu` or `cuda`.
        seed: of everything that chance decides.
        nproc: processes that train together, each with its part of every batch.
    """

    config: str | None = None
    model: str | None = None
    backbone: str | None = None
    output_stride: int | None = None
    pretrained: bool = False
    epochs: int | None = None
    steps: int | None = None
    stage_epochs: int | None = None
    init: NetworkRef | None = None
    teacher: NetworkRef | None = None
    device: str = "auto"
    seed: int | None = None
    nproc: int = 1

    def overrides(self) -> dict[str, Any]:
        """What the recipe is overruled in, by the names of `TrainingConfig`; None: it is not."""
        options = {"backbone": self.backbone, "output_stride": self.output_stride}
        return {
            "model": self.model,
            "options": {name: value for name, value in options.items() if value is not None},
            "pretrained": self.pretrained or None,
            "epochs": self.epochs,
            "steps": self.steps,
            "encoder_epochs": self.stage_epochs,
            "seed": self.seed,
        }


@dataclass(frozen=True, kw_only=True)
class TrainRequest(StudentRequest):
    """A training on a folder; needs no workspace.

    Attributes:
        data: folders with images/ and masks/, and train.txt or a folder train/ if only a part is
            learnt from.
        masks: what their maker says of the masks.
        out: folder of the run; None: named after the network, in `runs`.
        runs: where such a folder is made.
        held_out: part of the images that is never learnt from and scored after every epoch.
        resume: go on with the run in `out`, to the same numbers.
    """

    data: tuple[Path, ...]
    masks: MaskOptions = SELF_EXPLAINING
    out: Path | None = None
    runs: Path = Path("runs")
    held_out: float = HELD_OUT
    resume: bool = False


@dataclass(frozen=True, kw_only=True)
class RoundRequest(StudentRequest):
    """A training on a round of a workspace.

    Attributes:
        round: its number, from 1.
        min_source: what a mask needs; only looked at when the round is frozen.
        negatives: learn also from photos that nobody is in; likewise.
        force: promote the student whatever it scores.
    """

    round: int
    min_source: MinSource = MinSource.ANY
    negatives: bool = False
    force: bool = False
