"""MTCNN (Zhang et al. 2016): proposals at every scale, refined twice.

The same arithmetic as facenet-pytorch's `detect_face`, with which a test compares it on real
photos: areas averaged over whole pixels, boxes cut to integers where it cuts them. Every scale and
every crop is read from one table of sums, so that none is resampled pixel by pixel.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.mtcnn_networks import Floats, Networks

Image = NDArray[np.uint8]
Indices = NDArray[np.int64]

# facenet-pytorch's defaults: what each network must be sure of, in its order.
THRESHOLDS = (0.6, 0.7, 0.7)
# Where only sure faces count: half the time, and no sure face less (benchmarks/README.md).
STRICT_THRESHOLDS = (0.9, 0.9, 0.9)

_PROPOSAL_SIDE, _REFINEMENT_SIDE, _OUTPUT_SIDE = 12, 24, 48
_PROPOSAL_STRIDE = 2
_OVERLAP_OF_A_SCALE, _OVERLAP = 0.5, 0.7
# As in detect_face, so that one crowded picture needs no more memory than another.
_CROPS_AT_ONCE = 512


class Found(NamedTuple):
    """Faces of one picture, in its pixels.

    Attributes:
        boxes: (N, 4) float32: x0, y0, x1, y1, not clipped.
        probability: (N,) float32.
        landmarks: (N, 5, 2) float32: eyes, nose, corners of the mouth, as (x, y).
    """

    boxes: Floats
    probability: Floats
    landmarks: Floats


def find_faces(
    image: Image,
    networks: Networks,
    *,
    smallest_px: int,
    step: float,
    thresholds: tuple[float, float, float] = THRESHOLDS,
) -> Found:
    """Find the faces of one picture.

    Args:
        image: RGB uint8 (H, W, 3), no side shorter than `smallest_px`.
        networks: the three.
        smallest_px: smallest face to search for, at least 12.
        step: from one scale to the next smaller one, in (0, 1).
        thresholds: what each network must be sure of.

    Returns:
        The faces, largest first.
    """
    areas = _Areas(image)
    boxes = _square(_proposals(areas, networks, smallest_px, step, thresholds[0]))
    boxes, crops = areas.crops(boxes, _REFINEMENT_SIDE)
    moves, probability = _run(networks.refinement, crops, ("boxes", "probability"))
    sure = probability[:, 1] > np.float32(thresholds[1])
    boxes, moves, scores = boxes[sure], moves[sure], probability[sure, 1]
    kept = _without_overlaps(boxes, scores, _OVERLAP)
    boxes = _square(_moved(boxes[kept], moves[kept]))
    boxes, crops = areas.crops(boxes, _OUTPUT_SIDE)
    wanted = ("boxes", "landmarks", "probability")
    moves, marks, probability = _run(networks.output, crops, wanted)
    sure = probability[:, 1] > np.float32(thresholds[2])
    boxes, moves, scores = boxes[sure], moves[sure], probability[sure, 1]
    landmarks = _landmarks(boxes, marks[sure])
    boxes = _moved(boxes, moves)
    kept = _without_nested(boxes, scores)
    boxes = boxes[kept]
    order = np.argsort((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[::-1]
    return Found(boxes[order], scores[kept][order], landmarks[kept][order])


class _Areas:
    """Means over rectangles of a picture, from its table of sums: exact, whatever their size."""

    def __init__(self, image: Image) -> None:
        self.height, self.width = image.shape[:2]
        # int32: where the whole wraps around, differences are right up to 8 million pixels.
        self._sums = cv2.integral(image)

    def scaled(self, height: int, width: int) -> Floats:
        """The whole picture as a network wants it: float32 (1, 3, height, width) in [-1, 1]."""
        top, bottom = _cells(np.array([self.height]), height)
        left, right = _cells(np.array([self.width]), width)
        rows = self._sums[bottom[0]] - self._sums[top[0]]
        sums = rows[:, right[0]] - rows[:, left[0]]
        counts = (bottom - top)[0][:, None] * (right - left)[0]
        return _normalised(sums[None], counts[None])

    def crops(self, boxes: Floats, side: int) -> tuple[Floats, Floats]:
        """Cut boxes out and bring them to (N, 3, side, side) in [-1, 1].

        Returns:
            Boxes that have a part inside of the picture, and their crops.
        """
        whole = np.trunc(boxes).astype(np.int64)
        left, top = (np.maximum(whole[:, :2], 1) - 1).T
        right = np.minimum(whole[:, 2], self.width)
        bottom = np.minimum(whole[:, 3], self.height)
        inside = (right > left) & (bottom > top)
        boxes, left, top = boxes[inside], left[inside], top[inside]
        first_row, last_row = _cells(bottom[inside] - top, side)
        first_column, last_column = _cells(right[inside] - left, side)
        counts = (last_row - first_row)[:, :, None] * (last_column - first_column)[:, None, :]
        flat, stride = self._sums.reshape(-1, 3), self.width + 1
        upper = ((first_row + top[:, None]) * stride)[:, :, None]
        lower = ((last_row + top[:, None]) * stride)[:, :, None]
        first = (first_column + left[:, None])[:, None, :]
        last = (last_column + left[:, None])[:, None, :]
        sums = flat[lower + last] - flat[upper + last] - flat[lower + first] + flat[upper + first]
        return boxes, _normalised(sums, counts)


def _cells(lengths: Indices, parts: int) -> tuple[Indices, Indices]:
    """Where each of `parts` cells of a length begins and ends, as adaptive pooling has it.

    Args:
        lengths: (N,) in pixels.
        parts: of each.

    Returns:
        Two (N, parts) arrays, ends exclusive; cells overlap where parts do not divide a length.
    """
    numbers = np.arange(parts)
    lengths = np.asarray(lengths, np.int64)[:, None]
    return numbers * lengths // parts, -(-(numbers + 1) * lengths // parts)


def _normalised(sums: NDArray[np.int32], counts: Indices) -> Floats:
    """(N, h, w, 3) sums over (N, h, w) pixels to (N, 3, h, w) in [-1, 1]."""
    means = sums.transpose(0, 3, 1, 2) / counts[:, None].astype(np.float32)
    return np.asarray((means.astype(np.float32) - np.float32(127.5)) * np.float32(0.0078125))


def _proposals(
    areas: _Areas, networks: Networks, smallest_px: int, step: float, threshold: float
) -> Floats:
    """(N, 4) float32 boxes of the first network, moved as it says, surest first."""
    boxes, scores, moves = [], [], []
    for scale in _scales(min(areas.height, areas.width), smallest_px, step):
        image = areas.scaled(int(areas.height * scale + 1), int(areas.width * scale + 1))
        moved, probability = networks.proposal.run(("boxes", "probability"), {"image": image})
        person = probability[0, 1]
        rows, columns = np.nonzero(person >= np.float32(threshold))
        corner = (_PROPOSAL_STRIDE * np.stack([columns, rows], 1)).astype(np.float32)
        upper = np.floor((corner + 1) / np.float32(scale))
        lower = np.floor((corner + _PROPOSAL_SIDE) / np.float32(scale))
        found = np.concatenate([upper, lower], axis=1)
        kept = _without_overlaps(found, person[rows, columns], _OVERLAP_OF_A_SCALE)
        rows, columns = rows[kept], columns[kept]
        boxes.append(found[kept])
        scores.append(person[rows, columns])
        moves.append(moved[0][:, rows, columns].T)
    all_boxes, all_moves = np.concatenate(boxes), np.concatenate(moves)
    kept = _without_overlaps(all_boxes, np.concatenate(scores), _OVERLAP)
    chosen, moved = all_boxes[kept], all_moves[kept]
    size = chosen[:, 2:] - chosen[:, :2]
    return np.asarray(chosen + moved * np.concatenate([size, size], axis=1), np.float32)


def _scales(shorter_px: int, smallest_px: int, step: float) -> Iterator[float]:
    scale = _PROPOSAL_SIDE / smallest_px
    shorter = shorter_px * scale
    while shorter >= _PROPOSAL_SIDE:
        yield scale
        scale *= step
        shorter *= step


def _run(session: Any, crops: Floats, outputs: tuple[str, ...]) -> list[Floats]:
    parts = [
        session.run(outputs, {"image": crops[start : start + _CROPS_AT_ONCE]})
        for start in range(0, max(1, len(crops)), _CROPS_AT_ONCE)
    ]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _without_overlaps(boxes: Floats, scores: Floats, most: float) -> Indices:
    """Greedy non-maximum suppression by intersection over union, surest first."""
    if not len(boxes):
        return np.empty(0, np.int64)
    sized = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(sized.astype(np.float64).tolist(), scores.tolist(), 0.0, most)
    return np.asarray(kept, np.int64)


def _without_nested(boxes: Floats, scores: Floats) -> Indices:
    """Suppression by the part of the smaller box, so that no face stands within another."""
    kept = []
    left = np.argsort(scores, kind="stable")[::-1]
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        size = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(
            boxes[best, :2], boxes[left, :2]
        )
        common = np.maximum(size + 1, 0).prod(axis=1)
        left = left[common / np.minimum(areas[best], areas[left]) <= _OVERLAP]
    return np.asarray(kept, np.int64)


def _moved(boxes: Floats, moves: Floats) -> Floats:
    """Boxes whose corners are moved by parts of their size."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    return np.asarray(boxes + moves * np.concatenate([size, size], axis=1), np.float32)


def _square(boxes: Floats) -> Floats:
    """Boxes made as high as wide about their middle, by their longer side."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([corner, corner + side], axis=1)


def _landmarks(boxes: Floats, marks: Floats) -> Floats:
    """(N, 10), five parts of the width and five of the height, to (N, 5, 2) in pixels."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    parts = marks.reshape(-1, 2, 5).transpose(0, 2, 1)
    return np.asarray(size[:, None] * parts + boxes[:, None, :2] - 1, np.float32)
