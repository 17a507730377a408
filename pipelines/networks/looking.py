"""What the images of a data set are like: what slices of scores are cut by.

Measured on an image and its true mask alone, so that it is the same for every network: the traits
by which `scores slices` cuts portraits, and the tone of the skin.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.detect import FaceDetector, load_detector
from pipelines.pictures.geometry import Face, face_window
from pipelines.pictures.rotation import rotated, rotated_face, rotated_size
from pipelines.pictures.sharpness import sharpness
from pipelines.pictures.skin import skin_tone
from pipelines.pictures.traits import Traits, traits
from pipelines.workspace.settings import DetectorSettings
from sinet.batching import in_order
from sinet.data.listing import Sample
from sinet.data.reading import Picture, read_sample
from sinet.resample import shrink

# Faces are searched on a copy of this longest side, from this height: a twentieth of the picture.
_COPY_PX, _FACE_PX = 448, 24
# Share of a face's box that must be the person, or it is that of somebody else.
_OWN = 0.5


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one image is like.

    Attributes:
        brightness: mean grey of the image, in [0, 255].
        traits: of the face; None: none was found on the person.
        skin: ITA of the face in degrees; None: it cannot be told.
    """

    brightness: float
    traits: Traits | None
    skin: float | None


def look_at(samples: Iterable[Sample], settings: DetectorSettings) -> dict[str, Look]:
    """Measure images.

    Args:
        samples: taken as threads get free.
        settings: of the detector; how small a face may be is decided by the size of the image.

    Raises:
        DataError: an image or mask cannot be read.
        ModelError: the detector's weights are missing or damaged.
    """
    detector = load_detector(settings.model_copy(update={"min_face_px": float(_FACE_PX)}))

    def look(sample: Sample) -> tuple[str, Look]:
        return sample.name, _look(read_sample(sample), detector, settings.min_confidence)

    return dict(in_order(look, samples))


def _look(picture: Picture, detector: FaceDetector, min_confidence: float) -> Look:
    grey = cv2.cvtColor(picture.image, cv2.COLOR_RGB2GRAY)
    brightness = float(grey.mean())
    person = picture.mask.astype(np.bool_)
    face = _own_face(picture, person, detector, min_confidence)
    if face is None:
        return Look(brightness=brightness, traits=None, skin=None)
    height, width = picture.shape
    size, turn = (width, height), face.rotation
    upright, rgb = rotated_face(face, size, turn), rotated(picture.image, turn)
    sharp = sharpness(rgb[face_window(upright, rgb.shape)])
    return Look(
        brightness=brightness,
        traits=traits(upright, rotated_size(size, turn), brightness, sharp),
        skin=skin_tone(rgb, rotated(person, turn), upright),
    )


def _own_face(
    picture: Picture,
    person: NDArray[np.bool_],
    detector: FaceDetector,
    min_confidence: float,
) -> Face | None:
    """The largest sure face on the person, in pixels of the image."""
    height, width = picture.shape
    factor = min(1.0, _COPY_PX / max(height, width))
    across, down = max(1, round(factor * width)), max(1, round(factor * height))
    copy = picture.image if factor == 1 else shrink(picture.image, across, down)
    faces = [face.scaled(width / across, height / down) for face in detector.detect([copy])[0]]
    own = [
        face
        for face in faces
        if face.confidence >= min_confidence
        and person[face_window(face, person.shape)].mean() >= _OWN
    ]
    return max(own, key=lambda face: face.height, default=None)
