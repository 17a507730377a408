"""Layers that see the whole batch, though each process holds a part of it.

`torch.nn.SyncBatchNorm` runs on GPUs only; this one on whatever `torch.distributed` runs on, and
what it computes for the parts is what `torch.nn.BatchNorm2d` computes for the whole.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.processes import own_rows, processes, rank, summed, whole_batch


def share_batches(network: nn.Module) -> None:
    """Let the layers of a network that look at its whole batch look beyond this process's part.

    Parameters and buffers stay the same tensors under the same names.
    """
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, _SharedBatchNorm.of(child))
        elif isinstance(child, nn.Dropout | nn.Dropout2d):
            setattr(network, name, _SharedDropout(child))
        else:
            share_batches(child)


class _SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by mean and variance of the whole batch."""

    @classmethod
    def of(cls, plain: nn.BatchNorm2d) -> "_SharedBatchNorm":
        shared = cls(plain.num_features, eps=plain.eps, momentum=plain.momentum)
        for name, tensor in (*plain.named_parameters(), *plain.named_buffers()):
            setattr(shared, name, tensor)
        return shared.train(plain.training)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        if not self.training:
            return super().forward(features)
        values = features.to(torch.promote_types(features.dtype, torch.float32))
        variance, mean = torch.var_mean(values, dim=(0, 2, 3), correction=0)
        # Each process's moments in a row of its own, so that nothing cancels out in their sum.
        own = torch.zeros(processes(), 1, 1, dtype=values.dtype, device=values.device)
        own[rank()] = 1
        means, variances = summed(own * torch.stack((mean, variance))).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        self._remember(mean, variance, values[:, 0].numel() * processes())
        scale = (variance + self.eps).rsqrt() * self.weight
        shift = self.bias - mean * scale
        return (values * scale[:, None, None] + shift[:, None, None]).to(features.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)


class _SharedDropout(nn.Module):
    """Dropout whose draw for an image does not depend on which process has it."""

    def __init__(self, plain: nn.Dropout | nn.Dropout2d) -> None:
        super().__init__()
        self._probability = plain.p
        self._drop = functional.dropout2d if isinstance(plain, nn.Dropout2d) else functional.dropout
        self.train(plain.training)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        if not self.training:
            return features
        kept = self._drop(torch.ones_like(whole_batch(features)), self._probability, training=True)
        return features * own_rows(kept)
