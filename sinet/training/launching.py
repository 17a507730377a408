"""One run in several processes of this machine, started and watched over by torchrun."""

import logging
import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import cv2
import torch
from torch import distributed
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from sinet.data.listing import Sample
from sinet.devices import choose_device
from sinet.errors import ConfigError, DeviceError, SINetError, TrainingError
from sinet.gpus import gpu_count
from sinet.network_ref import NetworkRef
from sinet.processes import rank
from sinet.run_files import WEIGHTS_FILE
from sinet.training.config import TrainingConfig
from sinet.training.records import EpochRecord
from sinet.training.run import SAVE_EVERY_S, Progress, train

# The libraries of macOS do not bear being copied.
_STARTED: Final = "forkserver" if sys.platform == "linux" else "spawn"
_POLL_S: Final = 0.1
# A process that fails because another one has gone waits for so long, so that torchrun finds the
# one that went first.
_AFTERMATH_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What `train` is given, to be sent to other processes; see there."""

    config: TrainingConfig
    samples: Sequence[Sample]
    out: Path
    held_out: Sequence[Sample] = ()
    soft_masks: Path | None = None
    init: NetworkRef | Path | str | None = None
    resume: bool = False
    device: str = "auto"
    stop_after: int | None = None
    save_every_s: float = SAVE_EVERY_S

    def go(self, device: str, progress: Progress | None) -> Path:
        """Train in this process, on this device."""
        return train(
            self.config,
            self.samples,
            self.out,
            held_out=self.held_out,
            soft_masks=self.soft_masks,
            init=self.init,
            resume=self.resume,
            device=device,
            stop_after=self.stop_after,
            save_every_s=self.save_every_s,
            progress=progress,
        )


def check_processes(processes: int, config: TrainingConfig, device: str) -> None:
    """Find out that so many processes can share a run.

    Args:
        processes: number of them.
        config: of the run.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: a batch cannot be shared out equally.
        DeviceError: there are fewer GPUs.
    """
    if processes == 1:
        return
    batches = {"batch": config.batch if config.epochs else 0}
    batches["encoder_batch"] = config.encoder_batch if config.encoder_epochs else 0
    for name, batch in batches.items():
        if batch % processes:
            fitting = [str(n) for n in range(2, batch + 1) if batch % n == 0]
            raise ConfigError(
                f"{name} is {batch}, which {processes} processes cannot share equally: take "
                f"{' or '.join(fitting)}, or another {name} in a --config file."
            )
    if choose_device(device) == "cuda" and gpu_count() < processes:
        raise DeviceError(
            f"{processes} processes need a GPU each, and here are {gpu_count()}; use --device cpu "
            "or fewer processes."
        )


def train_in_processes(run: Run, processes: int, progress: Progress | None = None) -> Path:
    """Train one network in several processes, to the numbers of one, but for rounding.

    Each has a core's or a GPU's share of every batch. The first to fail, or to be killed, ends all.

    Args:
        run: what `train` is given.
        processes: number of them; 1: this one trains.
        progress: told of every epoch, in this process; what it raises ends all.

    Returns:
        The file of the weights.

    Raises:
        ConfigError, DeviceError: as `check_processes`.
        TrainingError: a process was killed, or failed in an unexpected way.
        SINetError: as `train`.
    """
    check_processes(processes, run.config, run.device)
    if processes == 1:
        return run.go(run.device, progress)
    size = min(run.config.batch, len(run.samples))
    if size % processes:
        raise ConfigError(
            f"{len(run.samples)} images make one batch, which {processes} processes cannot share "
            "equally."
        )
    return _Launch(run, processes).watch(progress)


class _Launch:
    """torchrun in a thread; this thread hears what the processes tell."""

    def __init__(self, run: Run, processes: int) -> None:
        self._run, self._processes = run, processes
        context = multiprocessing.get_context(_STARTED)
        if _STARTED == "forkserver":  # what takes seconds to import is imported once
            multiprocessing.set_forkserver_preload([__name__, "torch._dynamo"])
        self._messages = context.Queue()
        # Nothing is sent: it closes with this process, or when all shall end.
        self._lifeline, self._end = context.Pipe(duplex=False)
        self._failure: ChildFailedError | None = None
        self._crash: BaseException | None = None
        self._thread = threading.Thread(target=self._torchrun, name="torchrun", daemon=True)

    def watch(self, progress: Progress | None) -> Path:
        self._thread.start()
        errors: list[SINetError] = []
        unexpected: list[str] = []
        try:
            for kind, *content in self._told():
                if kind == "epoch" and progress is not None:
                    progress(*content)
                elif kind == "error":
                    errors += content
                elif kind == "unexpected":
                    unexpected += content
        finally:
            self._end.close()
            self._thread.join()
            self._messages.close()
        if errors:
            raise errors[0]
        if self._crash is not None:
            raise TrainingError(f"torchrun failed: {self._crash}.") from self._crash
        if self._failure is not None:
            raise TrainingError(self._told_of(self._failure, unexpected))
        return self._run.out / WEIGHTS_FILE

    def _told(self) -> Iterator[tuple[Any, ...]]:
        """What the processes tell, until all have ended."""
        while True:
            is_over = not self._thread.is_alive()
            try:
                yield self._messages.get(timeout=_POLL_S)
            except queue.Empty:
                if is_over:
                    return

    def _torchrun(self) -> None:
        # Ctrl-C reaches all processes of a terminal: this program's own answer to it ends the
        # others, which inherit what this thread lets through.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        with tempfile.TemporaryDirectory() as folder, _quiet():
            config = LaunchConfig(
                min_nodes=1,
                max_nodes=1,
                nproc_per_node=self._processes,
                run_id=uuid.uuid4().hex,
                rdzv_backend="c10d",
                rdzv_endpoint="127.0.0.1:0",
                local_addr="127.0.0.1",
                max_restarts=0,
                monitor_interval=_POLL_S,
                start_method=_STARTED,
                logs_specs=DefaultLogsSpecs(log_dir=folder),
            )
            try:
                elastic_launch(config, _work)(self._run, self._messages, self._lifeline)
            except ChildFailedError as failure:
                self._failure = failure
            except Exception as error:  # whatever torchrun meets; this thread has no other voice
                self._crash = error

    def _told_of(self, failure: ChildFailedError, unexpected: Sequence[str]) -> str:
        number, first = failure.get_first_failure()
        of = f"process {number + 1} of {self._processes}"
        left = f"{self._run.out}: what is saved there can be gone on with (--resume)"
        if first.exitcode < 0:
            name = signal.Signals(-first.exitcode).name
            why = ", for want of memory perhaps" if name == "SIGKILL" else ""
            return f"{of} was killed ({name}{why}), and so all have ended; {left}."
        said = unexpected[0] if unexpected else f"it ended with code {first.exitcode}"
        return f"{of} failed: {said}; {left}."


def _work(run: Run, messages: Any, lifeline: Connection) -> None:
    """What each process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    cv2.setNumThreads(0)
    device = choose_device(run.device)
    local = int(os.environ["LOCAL_RANK"])
    if device == "cuda":
        torch.cuda.set_device(local)
    elif run.config.threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(max(1, (cores or 1) // int(os.environ["LOCAL_WORLD_SIZE"])))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")

    def tell(record: EpochRecord, total: int) -> None:
        if rank() == 0:
            messages.put(("epoch", record, total))

    try:
        run.go(f"cuda:{local}" if device == "cuda" else "cpu", tell)
        distributed.barrier()
        distributed.destroy_process_group()
    except SINetError as error:
        messages.put(("error", error))
        _fail(messages)
    except Exception as error:
        line = next(iter(str(error).splitlines()), "")
        messages.put(("unexpected", f"{type(error).__name__}: {line}"))
        time.sleep(_AFTERMATH_S)
        _fail(messages)


def _fail(messages: Any) -> None:
    """End at once: the others may wait for this process, and it for them."""
    messages.close()
    messages.join_thread()
    os._exit(1)


def _end_with(lifeline: Connection) -> None:
    """End when the launching process closes its end of the line, or is no more."""
    lifeline.poll(None)
    os._exit(1)


@contextmanager
def _quiet() -> Iterator[None]:
    """What torchrun logs of a failure is told by an error of ours."""
    loggers = [logging.getLogger(name) for name in ("torch.distributed", "torch.multiprocessing")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
