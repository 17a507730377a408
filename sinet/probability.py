"""From what networks answer to probabilities, in numpy."""

import numpy as np
import numpy.typing as npt

from sinet.errors import NetworkOutputError

Plane = npt.NDArray[np.float32]


def softmax_channel(logits: Plane, channel: int) -> Plane:
    """One channel of the softmax over the first axis, without computing the others.

    Args:
        logits: (C, H, W) float32.
        channel: which of the C.

    Returns:
        (H, W) float32 in [0, 1]: 1 / Σ exp(l_c − l_channel). Class by class over one buffer, which
        stays in the cache: at 21 classes a sixth of the time of a softmax over all.
    """
    reference = logits[channel]
    total = np.ones_like(reference)
    buffer = np.empty_like(reference)
    with np.errstate(over="ignore"):  # exp overflows to inf where the channel is hopeless: p = 0
        for index, other in enumerate(logits):
            if index != channel:
                np.subtract(other, reference, out=buffer)
                np.exp(buffer, out=buffer)
                total += buffer
    return np.asarray(np.reciprocal(total), np.float32)


def sigmoid(logits: Plane) -> Plane:
    """1 / (1 + exp(−x)), elementwise, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)


def checked(person: Plane) -> Plane:
    """Return a probability as it is.

    Raises:
        NetworkOutputError: a value is NaN or infinite.
    """
    if not np.isfinite(person).all():
        raise NetworkOutputError(
            "the network's answer has NaN or infinite values: its weights are damaged, or it was "
            "trained too fast."
        )
    return person
