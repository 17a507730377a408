"""How many workers a piece of work is worth, and how they share processor and GPUs."""

import sys
from dataclasses import dataclass

from pipelines.workspace.settings import EngineSettings


@dataclass(frozen=True)
class Crew:
    """Who works.

    Attributes:
        workers: number of processes; 0: the work is done in this one.
        threads: of the numerical libraries, in each; with a GPU, those that decode and judge.
        gpus: each process is given one of so many, in turn; 0: none.
        preload: modules that are imported once for all processes, where they can be shared.
    """

    workers: int
    threads: int
    gpus: int = 0
    preload: tuple[str, ...] = ()


def crew(
    settings: EngineSettings,
    items: int,
    worth_a_process: int = 1,
    *,
    gpus: int = 0,
    preload: tuple[str, ...] = (),
) -> Crew:
    """Share the cores out, or the GPUs.

    Two one-thread workers label nearly twice as fast as one of two threads. A GPU is one process's:
    several networks on it would wait for each other. Its threads decode and judge.

    Args:
        settings: a number of workers given there holds, whatever the work.
        items: how many there are to be done.
        worth_a_process: so many of them take longer than a process takes to start.
        gpus: on which the networks run; 0: they run on the processor.
        preload: as in `Crew`.
    """
    from sinet.batching import cores

    workers = settings.workers
    if workers is None:
        workers = min(gpus or cores(), items // worth_a_process)
    threads = max(1, cores() // max(1, workers))
    if settings.workers is None and workers == 0 and not gpus:
        threads = 1  # for so little, threads would mostly wait for each other
    return Crew(workers, threads, gpus, preload)


def limit_library_threads(threads: int) -> None:
    """Bound the threads of OpenCV and of numpy's BLAS, which takes every core for any product.

    Args:
        threads: at most so many, in this process.
    """
    import cv2
    from threadpoolctl import threadpool_limits

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
