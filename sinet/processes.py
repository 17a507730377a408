"""Several processes that train one network together: what each has of a batch, and sums over all.

In a process of its own, or in one that has joined no others, everything here is the plain thing.
A batch is shared out in equal runs of rows, the first to rank 0; what one process would draw by
chance for the whole batch every process draws, and takes its rows.
"""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed

_T = TypeVar("_T")


def processes() -> int:
    """How many train together; 1: this one alone."""
    return distributed.get_world_size() if _is_joined() else 1


def rank() -> int:
    """Which of them this one is, from 0; the first writes."""
    return distributed.get_rank() if _is_joined() else 0


def summed(values: Tensor) -> Tensor:
    """Return the sum over all processes, of the shape of `values`; gradients are summed as well."""
    return _all_reduced(values) if processes() > 1 else values


def count_a_process(where: Tensor) -> Tensor:
    """Return how often a bool is set in a process's part of the batch, on average.

    In all parts together it counts as set once at least.

    A sum over the own part divided by this, and averaged over the processes, is the mean over the
    whole batch: an image counts as much whichever process has it.
    """
    found = summed(where.sum()).clamp(min=1)
    return found if processes() == 1 else found / processes()


def whole_batch(part: Tensor) -> Tensor:
    """Return something of the shape of the whole batch; its values mean nothing.

    Args:
        part: (N, …) of this process.

    Returns:
        (processes · N, …), with the same layout in memory.
    """
    return part if processes() == 1 else torch.cat([part.detach()] * processes())


def own_rows(whole: Tensor) -> Tensor:
    """Return this process's rows (N, …) of the whole batch (processes · N, …)."""
    if processes() == 1:
        return whole
    count = len(whole) // processes()
    return whole.narrow(0, rank() * count, count)


def own_run(items: Sequence[_T]) -> Sequence[_T]:
    """Return this process's run of something that all share out; the runs may differ by one."""
    count, of = len(items), processes()
    return items if of == 1 else items[rank() * count // of : (rank() + 1) * count // of]


def _is_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


# An operator of its own, since `all_reduce` has no gradient.
@torch.library.custom_op("sinet::all_reduced", mutates_args=())
def _all_reduced(values: Tensor) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


@_all_reduced.register_fake
def _(values: Tensor) -> Tensor:
    return torch.empty_like(values, memory_format=torch.contiguous_format)


def _backward(_: object, gradient: Tensor) -> Tensor:
    total: Tensor = _all_reduced(gradient)
    return total


_all_reduced.register_autograd(_backward)
