"""What networks with a backbone of torchvision's share: dilation, and ImageNet's weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sinet.errors import NetworkError


def limit_stride(layers: nn.Module, wanted: int) -> None:
    """Keep the output of consecutive layers at 1/wanted of the image.

    Where they would shrink it further, kernels spread instead, so that weights trained at the full
    stride still see what they saw.

    Args:
        layers: of odd square kernels, registered in the order they run in.
        wanted: output stride, a power of 2.
    """
    reached, rate = 1, 1
    for layer in layers.modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        kernel, stride = layer.kernel_size[0], layer.stride[0]
        if kernel > 1:
            layer.dilation = (rate, rate)
            layer.padding = (rate * (kernel // 2), rate * (kernel // 2))
        if stride > 1 and reached >= wanted:
            layer.stride = (1, 1)
            rate *= stride
        else:
            reached *= stride


def torchvision_model(architecture: str, **options: Any) -> Any:
    """Return a model of torchvision's with random weights.

    torchvision is imported by those networks that need it: it loads PyTorch's compiler.
    """
    from torchvision.models import get_model

    return get_model(architecture, weights=None, **options)


def imagenet_weights(architecture: str) -> Mapping[str, Tensor]:
    """Return torchvision's weights of an architecture; downloads them once.

    Args:
        architecture: as torchvision knows it, `resnet50`.

    Raises:
        NetworkError: they cannot be downloaded.
    """
    from torchvision.models import get_model_weights

    weights: Any = get_model_weights(architecture).DEFAULT
    try:
        tensors: Mapping[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: what came is not what was expected
        raise not_downloaded(architecture, error, f"the file of {weights.url}") from error
    return tensors


def not_downloaded(what: str, error: Exception, file: str) -> NetworkError:
    """Return the error that says how to get weights another way."""
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return NetworkError(
        f"the pretrained weights of {what} cannot be downloaded ({line}): put {file} into "
        f"{torch.hub.get_dir()}/checkpoints, or train without --pretrained."
    )


def fill(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str = "") -> None:
    """Copy the tensors whose names begin with a prefix; every one the module has must be there."""
    module.load_state_dict({name: tensors[prefix + name] for name in module.state_dict()})
