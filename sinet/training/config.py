"""How a network is trained; saved beside its weights and inside them."""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sinet.data.augment import Augmentation
from sinet.losses.total import LossWeights
from sinet.networks import outline_network
from sinet.normalisation import InputSpec

OF_THE_MACHINE: Final = frozenset({"workers", "threads", "channels_last", "compile"})
"""How a machine computes, not what: rounding aside, a run is the same with any."""


class TrainingConfig(BaseModel):
    """All that decides a run, but for the data and the device. The defaults follow the paper."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str = Field(default="sinet", description="Name of the network.")
    options: dict[str, str | int | bool] = Field(
        default={}, description="Of the network: its backbone, its output stride, …"
    )
    pretrained: bool = Field(
        default=False, description="Start with a backbone trained on ImageNet; downloaded once."
    )
    seed: int = Field(default=0, ge=0)
    input: InputSpec = InputSpec()
    encoder_epochs: int = Field(default=300, ge=0, description="First stage: encoder alone.")
    epochs: int = Field(default=300, ge=0, description="Second stage: the whole network.")
    steps: int | None = Field(
        default=None,
        ge=1,
        description="Of the second stage, shared out over its epochs, so that trainings on "
        "collections of different sizes can be compared; None: an epoch shows every image once.",
    )
    encoder_batch: int = Field(default=36, ge=1)
    batch: int = Field(default=24, ge=1)
    early_side_px: int | None = Field(
        default=None,
        ge=32,
        multiple_of=32,
        description="Smaller training images at the start of the second stage, for speed.",
    )
    early_part: float = Field(default=0.5, ge=0, le=1, description="Part of the stage they last.")
    also_sides_px: tuple[Annotated[int, Field(ge=32, multiple_of=32)], ...] = Field(
        default=(),
        description="Other sides of training images in what comes after: every batch has one of "
        "them or the input's, each as often, so that the weights serve at all of them.",
    )
    optimiser: Literal["adam", "adamw", "sgd"] = Field(
        default="adam",
        description="`adamw` decays the weights apart from the gradient; `sgd` has momentum 0.9.",
    )
    learning_rate: float = Field(default=7.5e-3, gt=0)
    warmup_epochs: float = Field(default=0, ge=0, description="Rise linearly from 0 first.")
    schedule: Literal["poly", "cosine", "step"] = "poly"
    poly_power: float = Field(default=0.9, gt=0)
    step_at: tuple[float, ...] = Field(
        default=(0.5, 0.83), description="Parts of the stage after which a step comes."
    )
    step_factor: float = Field(default=0.5, gt=0, lt=1)
    weight_decay: float = Field(default=2e-4, ge=0, description="Of ordinary convolutions.")
    depthwise_decay: float = Field(default=0.0, ge=0, description="Of depthwise convolutions.")
    small_decay: float = Field(
        default=2e-6, ge=0, description="Of normalisation, PReLU, linear layers and biases."
    )
    best_after: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Of a stage: from this part of it on the weights of the epoch that is best on "
        "what is held out are kept, as the SINet authors' code does (0.6); None: the last.",
    )
    max_gradient_norm: float | None = Field(default=None, gt=0)
    ema_decay: float | None = Field(
        default=None, gt=0, lt=1, description="Average the weights over steps; None: do not."
    )
    losses: LossWeights = LossWeights()
    augmentation: Augmentation = Augmentation()
    cache_px: int = Field(default=400, ge=32, description="Longest side images are kept at.")
    workers: int = Field(default=1, ge=0, description="Processes that augment.")
    threads: int | None = Field(default=None, ge=1, description="Of PyTorch; None: its default.")
    channels_last: bool = True
    compile: bool = Field(default=False, description="`torch.compile`: twice as fast on a CPU.")
    mixed_precision: bool = Field(default=True, description="bfloat16 where it helps, GPU only.")
    overlays: int = Field(default=8, ge=0, description="Example pictures a run writes.")

    def epoch_steps(self, *, encoder_only: bool) -> int | None:
        """Steps of an epoch; None: as many as show every image once."""
        if self.steps is None or encoder_only:
            return None
        return -(-self.steps // self.epochs)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.encoder_epochs + self.epochs == 0:
            raise ValueError("encoder_epochs and epochs are both 0")
        if self.steps is not None and self.steps < self.epochs:
            raise ValueError(f"steps: {self.epochs} epochs take at least as many")
        network = outline_network(self.model, options=self.options)
        if self.encoder_epochs and not network.encoder_head:
            raise ValueError(f"{self.model} has no encoder head: set encoder_epochs to 0")
        if self.batch < network.smallest_training_batch:
            raise ValueError(f"{self.model} normalises over the batch: set batch to at least 2")
        if foreign := [name for name in self.losses.extra if name not in network.extra_losses]:
            raise ValueError(f"{self.model} with these options has no loss `{foreign[0]}`")
        if self.input.height != self.input.width or self.input.height % 32:
            raise ValueError("training images are square, their side a multiple of 32")
        return self
