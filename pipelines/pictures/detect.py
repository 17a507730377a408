"""Face detection: facenet-pytorch's MTCNN behind a protocol, on bounded copies of the images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.fake import FakeDetector
from pipelines.pictures.geometry import Face
from pipelines.pictures.looking_again import faces_of
from pipelines.workspace.settings import DetectorSettings
from sinet.resample import shrink

Image = NDArray[np.uint8]

# Letterboxed copies come in few shapes, so that images of one batch can share one.
_CANVAS_STEP_PX = 64
# Step of MTCNN's image pyramid. Its authors' 0.709 halves the area; fewer levels are quicker, and
# what that costs is the recall in benchmarks/README.md.
_PYRAMID_FACTOR = 0.6
# By how much larger a face must be where only sure ones count: the smallest take most of the time.
_STRICT_SIZE = 1.5
# Smallest faces searched for, on the copy. Few steps, so that images of one batch can share one;
# no finer than MTCNN's own first network, which looks at 12 pixels.
_COPY_FACE_STEPS_PX = (12, 14, 16, 20, 24, 28, 32, 40, 48, 64)


class FaceDetector(Protocol):
    """Finds faces. Implementations are not shared between threads."""

    name: str
    """Who looked: algorithm, version and weights, as recorded with every image."""

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each image.

        Args:
            images: RGB uint8 (H, W, 3) arrays of any sizes.

        Returns:
            For each image its faces, largest first, in pixels of that image. The answer for one
            image does not depend on the others of the batch.
        """
        ...


@dataclass(frozen=True)
class WorkingCopy:
    """A reduced, letterboxed copy of an image, on which faces are searched.

    Attributes:
        canvas: RGB uint8; the image is at its upper left, the rest is mid-grey.
        scale: pixels of the copy a pixel of the image, along x and along y.
        min_face_px: smallest face to search for on the copy.
    """

    canvas: Image
    scale: tuple[float, float]
    min_face_px: int


def working_copy(image: Image, settings: DetectorSettings) -> WorkingCopy:
    """Reduce an image as far as the smallest wanted face allows.

    MTCNN's cost is dominated by resampling the input for every level of its pyramid and its
    recall by the pixels its last network (48×48) gets, so the copy is `working_side_px` long
    unless the smallest face would fall under `working_face_px` on it. Shape and smallest face
    depend on the image alone: no neighbour in a batch can change what is found.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    needed = math.ceil(longest * settings.working_face_px / settings.min_face_px)
    side = min(longest, max(settings.working_side_px, needed), settings.max_working_side_px)
    if side < longest:
        new_width = max(1, round(width * side / longest))
        new_height = max(1, round(height * side / longest))
        image = shrink(image, new_width, new_height)
    rows, columns = image.shape[:2]
    canvas = np.full((_up(rows), _up(columns), 3), 127, np.uint8)
    canvas[:rows, :columns] = image
    wanted = settings.min_face_px * side / longest
    steps = [step for step in _COPY_FACE_STEPS_PX if step <= wanted]
    return WorkingCopy(
        canvas, (columns / width, rows / height), steps[-1] if steps else _COPY_FACE_STEPS_PX[0]
    )


class MtcnnDetector:
    """MTCNN (Zhang et al. 2016) with the weights inside facenet-pytorch, on the CPU.

    Images pass one at a time: batches gained at most a tenth, and sums differ with the size of a
    batch, which can tip a tie in the non-maximum suppression. Threads may share one.
    """

    def __init__(self, settings: DetectorSettings, threads: int = 1) -> None:
        """Load the three networks.

        Args:
            settings: face sizes and the working copy.
            threads: of ONNX Runtime within this process.

        Raises:
            ModelError: the weights are not there or damaged.
        """
        from pipelines.pictures.mtcnn_networks import load_networks, weights_sha256

        self._settings = settings
        self._networks = load_networks(threads)
        self.name = f"mtcnn:facenet-pytorch@sha256:{weights_sha256()}"

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """See `FaceDetector.detect`."""
        return [self._faces(working_copy(image, self._settings)) for image in images]

    def _faces(self, copy: WorkingCopy) -> list[Face]:
        across, down = copy.scale
        look = partial(self._upright_faces, smallest_px=copy.min_face_px)
        found = faces_of(copy.canvas, look, self._settings)
        faces = [face.scaled(1 / across, 1 / down) for face in found]
        return sorted(faces, key=lambda face: face.height, reverse=True)

    def _upright_faces(self, canvas: Image, *, strict: bool, smallest_px: int) -> list[Face]:
        from pipelines.pictures.mtcnn import STRICT_THRESHOLDS, THRESHOLDS, find_faces

        if strict:
            smallest_px = round(_STRICT_SIZE * smallest_px)
            if min(canvas.shape[:2]) < smallest_px:
                return []  # no such face fits in
        found = find_faces(
            canvas,
            self._networks,
            smallest_px=smallest_px,
            step=_PYRAMID_FACTOR,
            thresholds=STRICT_THRESHOLDS if strict else THRESHOLDS,
        )
        return [
            Face(
                tuple(box.astype(np.float64).tolist()),
                tuple((float(x), float(y)) for x, y in marks.astype(np.float64)),
                float(confidence),
            )
            for box, confidence, marks in zip(*found, strict=True)
        ]


def load_detector(settings: DetectorSettings, threads: int = 1) -> FaceDetector:
    """The detector that settings name.

    Args:
        settings: which, and what it looks for.
        threads: of ONNX Runtime within this process.

    Raises:
        ModelError: its weights are not there or damaged.
    """
    return FakeDetector() if settings.name == "fake" else MtcnnDetector(settings, threads)


def _up(pixels: int) -> int:
    return -(-pixels // _CANVAS_STEP_PX) * _CANVAS_STEP_PX
