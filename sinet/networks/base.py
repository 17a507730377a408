"""What training, prediction and checkpoints know of a network."""

from typing import ClassVar

from torch import Tensor, nn


class SegmentationNetwork(nn.Module):
    """A network that classifies every pixel.

    Attributes:
        name: under which a checkpoint knows it.
        strides: of the outputs of `training_logits`, the main one first.
        classes: number of output channels; 0 is the background, 1 the person.
    """

    name: ClassVar[str]
    strides: ClassVar[tuple[int, ...]]

    def __init__(self, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"classes is {classes}: at least 1 is needed.")
        self.classes = classes

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W)."""
        raise NotImplementedError

    def training_logits(self, images: Tensor, *, encoder_only: bool = False) -> tuple[Tensor, ...]:
        """Return the logits at each of `strides`; with `encoder_only`, all but the first."""
        raise NotImplementedError
