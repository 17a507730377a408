"""SINet's decoder for two classes: upsamplings as matrix products, one logit at the end."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.convert.algebra import (
    activation,
    affine_of,
    convolution,
    settled,
    upsampling_matrix,
    weights_of,
)
from sinet.networks.sinet import SINet


class FoldedDecoder(nn.Module):
    """From the encoder's features to the difference of the two logits.

    Args:
        network: of two classes.
        units: (48,): the features at 1/4 that come in are the network's own times this.
        height: of the images, a multiple of 8.
        width: likewise.
    """

    rows_to_quarter: Tensor  # (height / 4, height / 8)
    columns_to_quarter: Tensor  # (width / 8, width / 4)
    fine_scale: Tensor
    fine_shift: Tensor
    columns_to_full: Tensor  # (1, 1, 3, width / 4, width): by horizontal tap
    rows_to_full: Tensor  # (1, height, 2 · 3 · height / 4): by class and horizontal tap

    def __init__(self, network: SINet, units: Tensor, height: int, width: int) -> None:
        super().__init__()
        coarse, fine = affine_of(network.coarse_norm), affine_of(network.fine_norm)
        skip = affine_of(network.skip.post.norm)
        self.coarse = convolution(
            weights_of(network.encoder.classifier) * coarse.scale.view(-1, 1, 1, 1), coarse.shift
        )
        self.skip = convolution(
            weights_of(network.skip.convolution)
            * skip.scale.view(-1, 1, 1, 1)
            / units.view(1, -1, 1, 1),
            skip.shift,
        )
        self.skip_activation = activation(network.skip.post.activation.weight)
        self.register_buffer("fine_scale", settled(fine.scale).view(1, -1, 1, 1))
        self.register_buffer("fine_shift", settled(fine.shift).view(1, -1, 1, 1))
        self.register_buffer("rows_to_quarter", settled(upsampling_matrix(height // 8, 2)))
        self.register_buffer("columns_to_quarter", settled(upsampling_matrix(width // 8, 2).t()))
        kernel = weights_of(network.classifier)
        rows, columns = _last_layers(kernel[1] - kernel[0], height, width)
        self.register_buffer("rows_to_full", settled(rows)[None])
        self.register_buffer("columns_to_full", settled(columns)[None, None])

    def forward(self, features: Tensor, quarter: Tensor) -> Tensor:
        """Map (1, 144, height / 8, width / 8) and (1, 48, height / 4, width / 4).

        Returns:
            (1, 1, height, width): logit of the person minus logit of the background.
        """
        coarse = self.rows_to_quarter @ self.coarse(features) @ self.columns_to_quarter
        # 1 - max(softmax) of two logits
        doubt = torch.sigmoid(-torch.abs(coarse[:, 1:] - coarse[:, :1]))
        blocked = self.skip_activation(self.skip(quarter)) * doubt
        fine = (blocked + coarse) * self.fine_scale + self.fine_shift  # (1, 2, H / 4, W / 4)
        wide = fine[:, :, None] @ self.columns_to_full  # (1, 2, 3, H / 4, W)
        stacked = wide.reshape(1, -1, wide.shape[-1])  # (1, 2 · 3 · H / 4, W)
        logit: Tensor = self.rows_to_full @ stacked
        return logit[:, None]


def _last_layers(kernel: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Write two upsamplings by 2 and a 3×3 convolution, all linear, as two matrices.

    With U the enlargement along an axis and S(t) the shift by a tap of the kernel, which lets
    zeros in at the border as the convolution's padding does, the result is the sum over
    classes c, vertical taps v and horizontal taps h of

        kernel[c, v, h] · S(v) U_rows · fine[c] · (S(h) U_columns)ᵀ.

    The sum over v is done here; that over c and h is left to the second matrix product.

    Args:
        kernel: (2, 3, 3), of one output.
        height: of the images; `fine` has a quarter of it.
        width: likewise.

    Returns:
        (height, 2 · 3 · height / 4) and (3, width / 4, width).
    """
    rows, columns = _shifted(_to_full(height)), _shifted(_to_full(width))
    blocks = [
        torch.einsum("v,vab->ab", kernel[image, :, tap], rows)
        for image in range(2)
        for tap in range(3)
    ]
    return torch.cat(blocks, dim=1), columns.transpose(1, 2)


def _to_full(side: int) -> Tensor:
    """Return enlargement from a quarter of a side to the whole, in two steps: (side, side / 4)."""
    return upsampling_matrix(side // 2, 2) @ upsampling_matrix(side // 4, 2)


def _shifted(matrix: Tensor) -> Tensor:
    """Stack (3, rows, columns): the matrix moved down, in place, and up by one row."""
    padded = functional.pad(matrix, (0, 0, 1, 1))
    return torch.stack([padded[tap : tap + len(matrix)] for tap in range(3)])
