"""Work in batches over the cores, results in order.

Threads, since whatever takes long here (decoding, a network's forward pass, encoding) lets go of
the interpreter's lock; each with one thread of the numerical libraries: small networks gain next
to nothing from more, and libraries that wait for each other's threads lose most of what there is.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Final, TypeVar

import cv2

BATCH: Final = 4
"""Pictures in one forward pass: more gain nothing on a CPU."""

BATCH_PIXELS: Final = 2**23
"""Pixels of the pictures of one pass, in memory at once for each thread."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def batches(items: Iterable[_In], size: int = BATCH) -> Iterator[list[_In]]:
    """Yield items in lists of `size`, the last one maybe shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def within(items: Iterable[_In], weight: Callable[[_In], int], most: int) -> Iterator[list[_In]]:
    """Yield items in lists that together weigh `most` at most; a heavier item comes alone."""
    batch: list[_In] = []
    total = 0
    for item in items:
        weighs = weight(item)
        if batch and total + weighs > most:
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += weighs
    if batch:
        yield batch


def map_threaded(work: Callable[[_In], _Out], items: Sequence[_In], threads: int) -> list[_Out]:
    """Return what `work` makes of each of a few items, made by several threads or this one alone.

    Unlike `in_order` it leaves the libraries' threads as they are.
    """
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def in_order(
    work: Callable[[_In], _Out], items: Iterable[_In], threads: int | None = None
) -> Iterator[_Out]:
    """Yield what `work` makes of each item, in their order, made by several threads.

    Items are taken when there is a thread for them, but for one, so that memory does not grow with
    their number. An error of `work` is raised where its result would have been.

    Args:
        work: called by any thread, several times at once.
        items: taken by the caller's thread.
        threads: how many; None: one a core.
    """
    number = threads or cores()
    waiting: deque[Future[_Out]] = deque()
    with _one_thread_each(), ThreadPoolExecutor(number) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > number:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """OpenCV and PyTorch, if it is loaded, with one thread for each of ours, for a while."""
    torch = sys.modules.get("torch")
    before = cv2.getNumThreads(), torch.get_num_threads() if torch else 1
    cv2.setNumThreads(1)
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        if torch:
            torch.set_num_threads(before[1])
