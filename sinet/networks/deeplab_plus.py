"""DeepLabv3+ with an SE-ResNeXt-50: the teacher of the SINet paper (section 3.4).

Built by segmentation_models_pytorch, which is no part of the ordinary installation. 28.7 million
parameters: a network to label with, not one for a phone.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from torch import Tensor, nn

from sinet.errors import NetworkError
from sinet.networks.backbones import not_downloaded
from sinet.networks.base import SegmentationNetwork
from sinet.networks.layers import pad_to_multiple
from sinet.networks.options import Option

SIDE_MULTIPLE: Final = 16
_ENCODER: Final = "se_resnext50_32x4d"


class DeepLabPlus(SegmentationNetwork):
    """The whole network, for images of any size.

    Args:
        classes: number of output channels; 0 is the background, 1 the person.
        options: none.

    Raises:
        NetworkError: segmentation_models_pytorch is not installed.
    """

    name: ClassVar[str] = "deeplabv3plus"
    smallest_training_batch: ClassVar[int] = 2
    source: ClassVar[str] = "DeepLabv3+ with SE-ResNeXt-50, arXiv 1802.02611 and 1709.01507"
    licence: ClassVar[str] = "segmentation_models_pytorch MIT"

    def __init__(self, classes: int = 2, options: Mapping[str, Option] | None = None) -> None:
        super().__init__(classes, options)
        self.network = _build(classes, None)

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), normalised, any size, to logits (N, classes, H, W).

        Raises:
            NetworkError: a batch of one in train mode: the pyramid's mean over the image is one
                value a channel and image, which is normalised.
        """
        self.check_images(images)
        height, width = images.shape[-2:]
        logits: Tensor = self.network(pad_to_multiple(images, SIDE_MULTIPLE))
        return logits[..., :height, :width]

    def load_pretrained(self) -> None:
        """Give the encoder weights of ImageNet, which segmentation_models_pytorch downloads."""
        try:
            trained = _build(self.classes, "imagenet")
        except NetworkError:
            raise
        except Exception as error:  # the hub's exceptions share no base class
            raise not_downloaded(_ENCODER, error, "what its hub offers") from error
        encoder = self.network.get_submodule("encoder")
        encoder.load_state_dict(trained.get_submodule("encoder").state_dict())


def _build(classes: int, weights: str | None) -> nn.Module:
    try:
        import segmentation_models_pytorch as segmentation_models
    except ImportError as error:
        raise NetworkError(
            "deeplabv3plus needs segmentation_models_pytorch: "
            "pip install 'portrait-dataengine[teachers]'."
        ) from error
    built: Any = segmentation_models.DeepLabV3Plus(
        _ENCODER, encoder_weights=weights, classes=classes
    )
    assert isinstance(built, nn.Module)
    return built
