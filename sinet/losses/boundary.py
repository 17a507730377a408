"""Where the outline of a label is."""

import torch
from torch import Tensor
from torch.nn import functional

from sinet.labels import IGNORED

FULL_SIZE_KERNEL = 15
"""Side of the square that dilates and erodes the label at full size (paper, section 3.3)."""


def boundary_band(foreground: Tensor, kernel: int) -> Tensor:
    """Return dilation minus erosion: the pixels within kernel // 2 of a change of label.

    Pixels outside the image count for neither, so that the edge of the image is no outline.

    Args:
        foreground: bool (N, H, W).
        kernel: odd side of the square, in pixels.

    Returns:
        bool (N, H, W).
    """
    return _dilate(foreground, kernel) & _dilate(~foreground, kernel)


def class_band(labels: Tensor, kernel: int) -> Tensor:
    """Return the pixels within kernel // 2 of another class: `boundary_band` of many classes.

    Args:
        labels: int64 (N, H, W), some of them `IGNORED`, which are no class.
        kernel: odd side of the square, in pixels.

    Returns:
        bool (N, H, W), false where labels are ignored.
    """
    known = labels != IGNORED
    low, high = labels.float(), torch.where(known, labels, -1).float()
    highest = functional.max_pool2d(high, kernel, stride=1, padding=kernel // 2)
    lowest = -functional.max_pool2d(-low, kernel, stride=1, padding=kernel // 2)
    return torch.ne(highest, lowest) & known


def kernel_at(stride: int) -> int:
    """Return the kernel for labels at 1/stride: 15 at full size, and never below 3."""
    return max(3, FULL_SIZE_KERNEL // stride // 2 * 2 + 1)


def _dilate(mask: Tensor, kernel: int) -> Tensor:
    """Dilate by a square, one axis after the other.

    By doubling shifts of bits: far faster on a CPU than a maximum pooling of 15 × 15.
    """
    for axis in (-1, -2):
        reached = 0
        while reached < kernel // 2:
            step = min(reached + 1, kernel // 2 - reached, mask.shape[axis] - 1)
            if step == 0:
                break
            mask = _spread(mask, axis, step)
            reached += step
    return mask


def _spread(mask: Tensor, axis: int, step: int) -> Tensor:
    """Return a pixel as set if it or a pixel `step` before or after it is."""
    length = mask.shape[axis]
    ahead, behind = mask.narrow(axis, step, length - step), mask.narrow(axis, 0, length - step)
    edge = list(mask.shape)
    edge[axis] = step
    nothing = mask.new_zeros(edge)
    return mask | torch.cat((ahead, nothing), dim=axis) | torch.cat((nothing, behind), dim=axis)
