"""Videos, frame by frame through OpenCV."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from sinet.apply.plan import Work
from sinet.apply.write import Style, tinted, write_picture
from sinet.batching import BATCH, BATCH_PIXELS, in_order, within
from sinet.data.reading import Pixels
from sinet.errors import DataError
from sinet.predict import PersonModel, predict_all

# The encoder that every build of OpenCV with video has.
_CODEC: Final = "mp4v"
_FALLBACK_RATE: Final = 25.0
# Containers estimate their number of frames; a file with fewer than this part of it is cut off.
_ENOUGH: Final = 0.9


def apply_to_video(
    model: PersonModel, work: Work, style: Style, *, threads: int | None = None
) -> int:
    """Write a PNG a frame, `000000.png` and on, and the overlay as an MP4.

    Args:
        model: that predicts.
        work: the video.
        style: of masks and overlay.
        threads: that predict and write; None: one a core. The caller's decodes.

    Returns:
        The number of frames.

    Raises:
        DataError: no video, one cut off, or a target that cannot be written; nothing is left then.
    """
    try:
        work.mask.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{work.mask.parent}: cannot be made ({error.strerror}).") from error
    masks = work.mask.with_name(f".{work.mask.name}.partial")
    overlay = work.overlay.with_name(f".partial.{work.overlay.name}")
    shutil.rmtree(masks, ignore_errors=True)
    count, sink = 0, None
    try:
        with _opened(work.source) as capture:
            frames = within(enumerate(_frames(capture)), _pixels, BATCH_PIXELS // BATCH)
            write = partial(_write_frames, model, style, masks)
            for pictures in in_order(write, frames, threads):
                count += len(pictures)
                for picture in pictures if style.overlay else ():
                    sink = sink or _sink(overlay, picture, capture)
                    sink.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            expected = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if count == 0 or count < _ENOUGH * expected:
            raise DataError(
                f"{work.source}: cut off or damaged: {count} of {expected:.0f} frames decode."
            )
        if sink is not None:
            sink.release()
            overlay.replace(work.overlay)
        if work.mask.exists():
            shutil.rmtree(work.mask)
        masks.replace(work.mask)
    finally:
        if sink is not None:
            sink.release()
        overlay.unlink(missing_ok=True)
        shutil.rmtree(masks, ignore_errors=True)
    return count


def _write_frames(
    model: PersonModel, style: Style, masks: Path, frames: Sequence[tuple[int, Pixels]]
) -> list[Pixels]:
    """Write the masks of numbered frames; returns what the overlay shows, if one is wanted."""
    images = [image for _, image in frames]
    people = predict_all(model, images)
    for (number, _), person in zip(frames, people, strict=True):
        write_picture(masks / f"{number:06}.png", style.mask(person))
    if not style.overlay:
        return images
    return [tinted(image, person) for image, person in zip(images, people, strict=True)]


def _pixels(frame: tuple[int, Pixels]) -> int:
    return frame[1][..., 0].size


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a video; frames come upright."""
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what goes wrong is said below
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise DataError(f"{path}: no video, cut off, or of an unknown kind.")
        yield capture
    finally:
        capture.release()
        cv2.setLogLevel(level)


def _frames(capture: Any) -> Iterator[Pixels]:
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


def _sink(path: Path, image: Pixels, capture: Any) -> Any:
    rate = capture.get(cv2.CAP_PROP_FPS)
    size = (image.shape[1], image.shape[0])
    code = cv2.VideoWriter.fourcc(*_CODEC)
    writer = cv2.VideoWriter(str(path), code, rate if rate > 0 else _FALLBACK_RATE, size)
    if not writer.isOpened():
        raise DataError(f"{path}: this OpenCV cannot write such a video ({size}).")
    return writer
