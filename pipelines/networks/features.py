"""What a student sees in a picture, as one vector: pictures that look alike to it lie together."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.networks.base import Image
from pipelines.networks.current import current_student
from pipelines.networks.names import parse_network
from pipelines.workspace.errors import ModelError
from pipelines.workspace.workspace import Workspace
from sinet.batching import in_order
from sinet.errors import SINetError
from sinet.network_ref import NetworkRef

if TYPE_CHECKING:
    from torch import Tensor, nn

BUNDLED: Final = "sinet:bundled"


def student_or_bundled(workspace: Workspace) -> NetworkRef:
    """The current student; where there is none, or its file is gone, the network of the package."""
    student = current_student(workspace)
    if student is None or not student.weights.is_file():
        return parse_network(BUNDLED)
    return student.network


def features(
    network: NetworkRef, pictures: Iterable[Callable[[], Image]]
) -> Iterator[NDArray[np.float32]]:
    """Describe pictures by the widest map of a network's: its mean over the picture.

    That is what comes into the convolution with the most input channels, the last of those; of
    SINet the 144 channels that its encoder classifies.

    Args:
        network: a checkpoint.
        pictures: read when their turn comes, by several threads: uint8 (H, W, 3), RGB.

    Yields:
        float32 (C,), finite, of each picture in order.

    Raises:
        ModelError: the checkpoint cannot be read.
    """
    import torch

    from sinet.checkpoint import load_model

    try:
        model = load_model(network)
    except SINetError as error:
        raise ModelError(str(error)) from error
    last = threading.local()

    def note(_module: "nn.Module", inputs: "tuple[Tensor, ...]") -> None:
        last.seen = inputs[0]

    def described(read: Callable[[], Image]) -> NDArray[np.float32]:
        with torch.inference_mode():
            model.network(model.input.prepare(read()))
            mean = last.seen[0].float().mean(dim=(1, 2)).numpy()
        return np.asarray(np.nan_to_num(mean), np.float32)

    handle = widest(model.network).register_forward_pre_hook(note)
    try:
        yield from in_order(described, pictures)
    finally:
        handle.remove()


def widest(network: "nn.Module") -> "nn.Module":
    """The convolution with the most input channels, the last of those: what comes in describes."""
    from torch import nn

    found = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    return max(reversed(found), key=lambda each: each.in_channels)
