"""The enlargement at the end of a network, done where it is cheaper.

Segmentation networks end by enlarging all their classes to the input's size, sixteenfold for a
DeepLab at output stride 16. One probability is wanted, at the picture's own resolution, so the
network is run up to that last step, and its small output is enlarged here: to half the size where
the factor allows it, since nothing between two old samples is new. With 21 classes at 513 pixels
this takes a tenth of the whole time away.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from sinet.onnx.graph import attribute

Array = NDArray[np.float32]

# From this factor on, every second pixel of the enlarged output tells all there is.
_HALVED_FROM = 4
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Enlargement:
    """A bilinear resize with ONNX's conventions.

    Attributes:
        height: that the network enlarges to.
        width: likewise.
        mode: ONNX's `coordinate_transformation_mode`.
    """

    height: int
    width: int
    mode: str

    def apply(self, small: Array) -> Array:
        """The network's own output, (C, h, w) to (C, height, width)."""
        return self._sample(small, self.height, self.width)

    def sample(self, small: Array) -> Array:
        """The same field, on as many pixels as it takes to show it.

        Args:
            small: (C, h, w) float32.

        Returns:
            (C, H, W) float32, half as high and wide as `apply` gives it where the factor is at
            least four. Pixels lie as `cv2.resize` would put them.
        """
        halved = self.height >= _HALVED_FROM * small.shape[1]
        halved &= self.width >= _HALVED_FROM * small.shape[2]
        part = 2 if halved else 1
        return self._sample(small, -(-self.height // part), -(-self.width // part))

    def _sample(self, small: Array, rows: int, columns: int) -> Array:
        down = _weights(small.shape[1], self.height, rows, self.mode)
        across = _weights(small.shape[2], self.width, columns, self.mode)
        return np.asarray(np.matmul(np.matmul(down, small), across.T), np.float32)


@dataclass(frozen=True)
class CutNetwork:
    """A network without its last step.

    Attributes:
        model: serialised.
        output: name of what it ends with now, its only output.
        mode: of the resize that was cut off, ONNX's `coordinate_transformation_mode`.
    """

    model: bytes
    output: str
    mode: str


def cut_enlargement(model: onnx.ModelProto, output: str) -> CutNetwork | None:
    """Take the last step before an output off a network, if that is a bilinear resize.

    Args:
        model: of a readable file; it is changed.
        output: whose last step it is.

    Returns:
        The shortened network; None for any other, which is left as it is.
    """
    graph = model.graph
    last = next((node for node in graph.node if output in node.output), None)
    if last is None or last.op_type != "Resize" or any(t.data_location for t in graph.initializer):
        return None
    mode = attribute(last, "coordinate_transformation_mode", b"half_pixel").decode()
    if attribute(last, "mode", b"nearest") != b"linear" or mode not in _COORDINATES:
        return None
    if attribute(last, "antialias", 0):
        return None
    small = last.input[0]
    kind = next(each for each in graph.output if each.name == output).type.tensor_type.elem_type
    graph.node.remove(last)
    del graph.output[:]
    graph.output.append(onnx.ValueInfoProto(name=small))
    graph.output[0].type.tensor_type.elem_type = kind
    return CutNetwork(model.SerializeToString(), small, mode)


def matches(enlargement: Enlargement, small: Array, full: Array) -> bool:
    """Whether a network's own output is what we make of its small one."""
    if small.ndim != full.ndim or len(small) != len(full):
        return False
    made = enlargement.apply(small)
    return bool(np.abs(made - full).max() <= _TOLERANCE * max(1.0, float(np.abs(full).max())))


_COORDINATES = {
    "half_pixel": lambda at, old, new: (at + 0.5) * (old / new) - 0.5,
    "pytorch_half_pixel": lambda at, old, new: (at + 0.5) * (old / new) - 0.5,
    "align_corners": lambda at, old, new: at * ((old - 1) / max(1, new - 1)),
    "asymmetric": lambda at, old, new: at * (old / new),
}


def _weights(old: int, new: int, samples: int, mode: str) -> Array:
    """(samples, old) matrix: sample i of the enlarged axis as a mean of two old values."""
    # Where the samples lie on the enlarged axis, pixel centres at whole numbers.
    at = (np.arange(samples) + 0.5) * (new / samples) - 0.5
    source = np.clip(_COORDINATES[mode](at, old, new), 0, old - 1)
    below = np.minimum(source.astype(int), max(0, old - 2))
    share = source - below
    matrix = np.zeros((samples, old), np.float32)
    rows = np.arange(samples)
    matrix[rows, below] = 1 - share
    if old > 1:
        matrix[rows, below + 1] = share
    return matrix
