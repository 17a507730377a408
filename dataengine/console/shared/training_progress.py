"""`train` on a console while it runs: a bar on a terminal, a line an epoch elsewhere."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sinet.training import EpochRecord
from sinet.training.run import Progress as Observer

# Epochs that the time left is estimated from.
_RECENT = 5


@contextmanager
def training_progress(console: Console) -> Iterator[Observer]:
    """What `sinet.training.train` tells of every epoch, shown."""
    if not console.is_terminal:
        yield _plain_line
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        yield _Bar(progress)


class _Bar:
    """Progress on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("reading images", total=1, note="")
        self._seconds: list[float] = []

    def __call__(self, record: EpochRecord, total: int) -> None:
        self._seconds.append(record.seconds)
        note = _note(record)
        if record.epoch < total:
            note += f", {_time_left(self._seconds, total - record.epoch)} left"
        self._progress.update(
            self._task,
            description=record.stage,
            completed=record.epoch,
            total=total,
            note=note,
        )


def _plain_line(record: EpochRecord, total: int) -> None:
    left = _time_left([record.seconds], total - record.epoch)
    stamp = time.strftime("%H:%M:%S")
    typer.echo(
        f"{stamp} {record.stage} {record.epoch}/{total}: {_note(record)}, {left} left", err=True
    )


def _note(record: EpochRecord) -> str:
    parts = [f"loss {record.loss:.4f}"]
    if not math.isnan(record.held_out_iou):
        parts.append(f"held-out IoU {record.held_out_iou:.4f}")
    return ", ".join([*parts, f"{record.images_per_second:.1f} images/s"])


def _time_left(seconds: list[float], epochs: int) -> str:
    recent = seconds[-_RECENT:]
    minutes, rest = divmod(round(sum(recent) / len(recent) * epochs), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
