"""How many workers a piece of work is worth, and how they share the processor."""

import os
import sys
from dataclasses import dataclass

import cv2
from threadpoolctl import threadpool_limits

from pipelines.workspace.settings import EngineSettings


@dataclass(frozen=True)
class Crew:
    """Who works.

    Attributes:
        workers: number of processes; 0: the work is done in this one.
        threads: of the numerical libraries, in each.
    """

    workers: int
    threads: int


def crew(settings: EngineSettings, items: int, worth_a_process: int = 1) -> Crew:
    """Share the cores out.

    Two one-thread workers label nearly twice as fast as one of two threads.

    Args:
        settings: a number of workers given there holds, whatever the work.
        items: how many there are to be done.
        worth_a_process: so many of them take longer than a process takes to start.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    workers = settings.workers
    if workers is None:
        workers = min(cores, items // worth_a_process)
    return Crew(workers, max(1, cores // max(1, workers)))


def limit_library_threads(threads: int) -> None:
    """Bound the threads of OpenCV and of numpy's BLAS, which takes every core for any product.

    Args:
        threads: at most so many, in this process.
    """
    cv2.setNumThreads(threads)
    threadpool_limits(threads, user_api="blas")


def limit_torch_threads(threads: int) -> None:
    """The same for PyTorch, where it is loaded; what was loaded with it decides, not this room.

    Args:
        threads: at most so many, in this process.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
