"""The click network's input, and its weights on disk: safetensors."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinet.checkpoint import fill, read_tensors, write_tensors
from sinet.clicks.network import ClickNetwork

FORMAT: Final = "sinet-clicks-1"

BUNDLED: Final = Path(__file__).parents[1] / "weights" / "clicks.safetensors"
"""Trained on EG1800: for research use only."""


def pixels_of(
    picture: NDArray[np.uint8],
    guess: NDArray[np.float32],
    mask: NDArray[np.float32],
    clicks: NDArray[np.float32],
) -> Tensor:
    """Join the parts of the network's input.

    Args:
        picture: uint8 (side, side, 3) RGB.
        guess: float32 (side, side), 0..1: what SINet says of the picture.
        mask: float32 (side, side), 0..1: how much of each pixel the mask covers.
        clicks: float32 (2, side, side), see `click_maps`.

    Returns:
        float32 (1, 7, side, side).
    """
    colours = picture.transpose(2, 0, 1).astype(np.float32) / np.float32(127.5) - 1
    return torch.from_numpy(np.concatenate((colours, guess[None], mask[None], clicks))[None])


def save_click_network(path: Path, network: ClickNetwork, training: dict[str, Any]) -> None:
    """Write weights as float16, whole or not at all.

    Args:
        path: of the file.
        network: to write.
        training: what is known of it: plain JSON values.
    """
    description = {"format": FORMAT, "training": training}
    write_tensors(path, network.state_dict(), description, half=True)


def load_click_network(path: Path = BUNDLED) -> ClickNetwork:
    """Read weights; the network is in evaluation mode.

    Raises:
        CheckpointError: missing, cut off, or no click network of ours.
    """
    _, tensors = read_tensors(path, FORMAT)
    network = ClickNetwork()
    fill(network, tensors, path)
    return network.eval()
