"""What a run writes down: a CSV, TensorBoard scalars, and example overlays."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sinet.apply.write import tinted
from sinet.data.reading import Pixels
from sinet.run_files import LOG_FILE, TENSORBOARD_FOLDER


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of a run.

    Attributes:
        epoch: from 1, over both stages.
        stage: `encoder` or `whole`.
        learning_rate: at its last step.
        loss: mean over the steps.
        held_out_iou: of the averaged weights; NaN without held-out samples.
        images_per_second: loader included.
        seconds: the epoch took, evaluation included.
    """

    epoch: int
    stage: str
    learning_rate: float
    loss: float
    held_out_iou: float
    images_per_second: float
    seconds: float


def write_log(out: Path, records: Sequence[EpochRecord]) -> None:
    """Write all epochs so far to `log.csv`, whole or not at all."""
    partial = out / f".{LOG_FILE}.partial"
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, EpochRecord.__slots__)
        writer.writeheader()
        writer.writerows(asdict(record) for record in records)
    partial.replace(out / LOG_FILE)


def read_log(out: Path) -> list[EpochRecord]:
    """Read the epochs so far back from `log.csv`."""
    with (out / LOG_FILE).open(newline="") as file:
        return [
            EpochRecord(
                epoch=int(row.pop("epoch")),
                stage=row.pop("stage"),
                **{name: float(value) for name, value in row.items()},
            )
            for row in csv.DictReader(file)
        ]


class TensorBoard:
    """What TensorBoard shows of a run: scalars, and example pictures."""

    def __init__(self, out: Path, first_epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # slow to import

        # Epochs that a resumed run repeats are purged.
        self._writer: Any = SummaryWriter(str(out / TENSORBOARD_FOLDER), purge_step=first_epoch)

    def add(self, record: EpochRecord) -> None:
        """Write the numbers of an epoch."""
        for name in ("learning_rate", "loss", "held_out_iou", "images_per_second"):
            self._writer.add_scalar(name, getattr(record, name), record.epoch)
        self._writer.flush()

    def add_overlays(self, row: Pixels, epoch: int) -> None:
        """Write a picture, uint8 (H, W, 3) RGB."""
        self._writer.add_image("held_out", row, epoch, dataformats="HWC")

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def write_overlays(path: Path, pictures: Sequence[Pixels], masks: Sequence[Pixels]) -> Pixels:
    """Write pictures side by side, the person tinted red.

    Args:
        path: of the PNG.
        pictures: uint8 (H, W, 3) RGB, all of one size, at least one.
        masks: uint8 (H, W) of 0 and 1, one a picture.

    Returns:
        What was written, uint8 (H, W, 3) RGB.
    """
    path.parent.mkdir(exist_ok=True)
    parts = [
        tinted(picture, mask.astype(np.float32))
        for picture, mask in zip(pictures, masks, strict=True)
    ]
    row = np.concatenate(parts, axis=1)
    cv2.imwrite(str(path), cv2.cvtColor(row, cv2.COLOR_RGB2BGR))
    return row
