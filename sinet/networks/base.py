"""What training, prediction and checkpoints know of a network."""

from collections.abc import Collection, Mapping
from typing import ClassVar

from torch import Tensor, nn

from sinet.errors import NetworkError
from sinet.networks.options import Option, resolve_options
from sinet.processes import processes


class SegmentationNetwork(nn.Module):
    """A network that classifies every pixel.

    A network of this package calls `check_images` first thing in `forward` and `training_logits`.

    Attributes:
        name: under which a checkpoint knows it.
        strides: of the outputs of `training_logits`, the main one first.
        minimum_side: in pixels, of the smallest image it takes.
        smallest_training_batch: 2 for those that normalise one value a channel and image: its
            spread over a batch of one is 0.
        encoder_head: whether its encoder can be trained alone first.
        known_options: what can be chosen, each with its values, the default first.
        extra_losses: names of the losses that `extra_training_losses` offers.
        attention_names: of the maps that `attention_maps` returns; none: there are none.
        source: the paper.
        licence: of the authors' code, and of weights that `load_pretrained` reads.
        classes: number of output channels; 0 is the background, 1 the person.
        options: what was chosen of `known_options`, every one of them.
    """

    name: ClassVar[str]
    strides: tuple[int, ...] = (1,)
    minimum_side: ClassVar[int] = 1
    smallest_training_batch: ClassVar[int] = 1
    encoder_head: bool = False
    known_options: ClassVar[Mapping[str, tuple[Option, ...]]] = {}
    extra_losses: tuple[str, ...] = ()
    attention_names: tuple[str, ...] = ()
    source: ClassVar[str]
    licence: ClassVar[str]

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"classes is {classes}: at least 1 is needed.")
        self.classes = classes
        self.options = resolve_options(self.name, self.known_options, options or {})

    @property
    def is_published(self) -> bool:
        """Whether every option has its default."""
        return self.options == resolve_options(self.name, self.known_options, {})

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        raise NotImplementedError

    def training_logits(self, images: Tensor, *, encoder_only: bool = False) -> tuple[Tensor, ...]:
        """Return the logits at each of `strides`; with `encoder_only`, all but the first."""
        if encoder_only:
            raise ValueError(f"{self.name} has no encoder head: set encoder_epochs to 0.")
        return (self(images),)

    def training_step(
        self, images: Tensor, labels: Tensor, wanted: Collection[str]
    ) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Return the logits at each of `strides`, and losses that only this network knows.

        Args:
            images: float (N, 3, H, W), normalised.
            labels: int64 (N, H, W): the class, or `sinet.losses.IGNORED`.
            wanted: which of `extra_losses` to compute.

        Returns:
            The logits, and of every wanted loss its scalar, not yet weighted.
        """
        if wanted:
            raise NotImplementedError(f"{self.name} has no loss of its own.")
        return self.training_logits(images), {}

    def attention_maps(self, images: Tensor) -> dict[str, Tensor]:
        """Return what the network attends to, by name: float (N, H, W), 0..1, as large as images.

        Args:
            images: float (N, 3, H, W), normalised.
        """
        raise NotImplementedError(f"{self.name} has no attention maps.")

    def load_pretrained(self) -> None:
        """Give the backbone weights that were trained on ImageNet; downloads them once.

        Raises:
            NetworkError: there are none for this network, or they cannot be downloaded.
        """
        chosen = self.options.get("backbone")
        which = f"{self.name} with {chosen}" if chosen else self.name
        raise NetworkError(f"there are no pretrained weights for {which}: train it without.")

    def check_images(self, images: Tensor) -> None:
        """Refuse images that the network cannot take.

        Raises:
            NetworkError: too small, or in train mode too few.
        """
        height, width = images.shape[-2:]
        least = self.minimum_side
        if min(height, width) < least:
            raise NetworkError(
                f"{self.name} needs images of at least {least} × {least} pixels, "
                f"not {width} × {height}."
            )
        batch = len(images) * processes()
        if self.training and batch < self.smallest_training_batch:
            raise NetworkError(
                f"{self.name} normalises over the batch: it trains on batches of at least "
                f"{self.smallest_training_batch}, not {batch}."
            )
