"""The images a model does worst on, to look at."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sinet.data.listing import Sample
from sinet.data.reading import Pixels, read_sample
from sinet.errors import DataError
from sinet.evaluate import Evaluation
from sinet.pictures.threshold import is_person
from sinet.predict import PersonModel, predict

_PICTURE_PX: Final = (240, 320)  # width, height a picture fits in
_CAPTION_PX: Final = 22
_GAP_PX: Final = 8
_PAPER, _INK = (28, 30, 34), (235, 235, 235)
_TRUTH, _PREDICTION = (60, 255, 90), (255, 60, 200)  # green, magenta


def worst_samples(samples: Sequence[Sample], evaluation: Evaluation, count: int) -> list[Sample]:
    """Return the `count` samples of lowest native IoU, the worst first."""
    return sorted(samples, key=lambda sample: evaluation.images[sample.name].native_iou)[:count]


def write_contact_sheet(
    path: Path, model: PersonModel, samples: Sequence[Sample], evaluation: Evaluation
) -> None:
    """Draw images with the outlines of both masks: green by hand, magenta predicted.

    Args:
        path: .png or .jpg; overwritten, whole or not at all.
        model: that predicts.
        samples: to draw, in this order.
        evaluation: with the native IoU of each.

    Raises:
        DataError: a sample cannot be read, or the sheet cannot be written.
    """
    check_picture_path(path)
    columns = math.ceil(len(samples) ** 0.5)
    width, height = _PICTURE_PX[0], _PICTURE_PX[1] + _CAPTION_PX
    rows = -(-len(samples) // columns)
    size = (columns * (width + _GAP_PX) + _GAP_PX, rows * (height + _GAP_PX) + 2 * _CAPTION_PX)
    sheet = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    draw.text((_GAP_PX, 4), "by hand", _TRUTH, font)
    draw.text((_GAP_PX + 64, 4), "predicted", _PREDICTION, font)
    for number, sample in enumerate(samples):
        row, column = divmod(number, columns)
        left = _GAP_PX + column * (width + _GAP_PX)
        top = 2 * _CAPTION_PX - _GAP_PX + row * (height + _GAP_PX)
        picture = Image.fromarray(_outlined(model, sample))
        sheet.paste(picture, (left + (width - picture.width) // 2, top))
        caption = f"{evaluation.images[sample.name].native_iou:.3f}  {sample.name}"
        while font.getlength(caption) > width:
            caption = caption[:-2].rstrip("…") + "…"
        draw.text((left, top + _PICTURE_PX[1] + 3), caption, _INK, font)
    partial = path.with_name(f".partial.{path.name}")
    try:
        sheet.save(partial)
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error


def check_picture_path(path: Path) -> None:
    """Find out early whether a picture can be written there.

    Raises:
        DataError: not named like a picture, or in a folder that is not there.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise DataError(f"{path}: unknown kind of picture; name it .png or .jpg")
    if not path.parent.is_dir():
        raise DataError(f"{path}: cannot be written: there is no folder {path.parent}.")


def _outlined(model: PersonModel, sample: Sample) -> Pixels:
    """Return a sample's image, shrunk to fit its place, with both outlines."""
    image, mask, _ = read_sample(sample)
    predicted = (predict(model, image) > 0.5).astype(np.uint8)
    height, width = mask.shape
    factor = min(_PICTURE_PX[0] / width, _PICTURE_PX[1] / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    for each, colour in ((mask, _TRUTH), (predicted, _PREDICTION)):
        small = cv2.resize(each * np.uint8(255), size, interpolation=cv2.INTER_AREA)
        binary = is_person(np.asarray(small, np.uint8)).view(np.uint8)
        outlines, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour, 1, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)
