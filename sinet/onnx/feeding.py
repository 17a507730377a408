"""How an ONNX segmentation network is fed, by its graph and by what is said of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from sinet.errors import CheckpointError
from sinet.normalisation import resized
from sinet.onnx.options import OnnxOptions, Triple
from sinet.onnx.session import Session
from sinet.resample import shrink

MAX_PIXELS: Final = 2**26
"""Of an input, all pictures of a fixed batch together: 800 MB in single precision."""

# Of graphs of free size; the second for those that want multiples of 32.
_DEFAULT_SIDES_PX: Final = (513, 512)
# By the kind of the input's dtype: 8 bits are pixels as they are, floats RGB in [-1, 1], as in
# TensorFlow's DeepLab.
_DEFAULTS: Final[dict[str, tuple[float, float]]] = {
    "u": (0.0, 1.0),
    "i": (128.0, 1.0),
    "f": (127.5, 127.5),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class InputLayout:
    """How a network wants its input.

    Attributes:
        batch: pictures that it takes at once; all are the same one.
        height: in pixels.
        width: in pixels.
        channels_last: (N, H, W, 3) instead of (N, 3, H, W).
        dtype: of the array.
        bgr: channels are blue, green, red.
        resize: how pictures are brought to its size, in floating point, as `InputSpec` does; None:
            by halves, then bilinear, in 8 bits.
        mean: subtracted from pixel values in [0, 255], in the network's channel order.
        std: divided by, likewise.
    """

    batch: int
    height: int
    width: int
    channels_last: bool
    dtype: np.dtype[Any]
    bgr: bool
    resize: Literal["bilinear", "area"] | None
    mean: Triple
    std: Triple

    def feed(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Turn uint8 (H, W, 3) RGB of any size into the network's input.

        Returns:
            (N, 3, height, width) or (N, height, width, 3) of the network's dtype.
        """
        pixels = (
            shrink(image, self.width, self.height)
            if self.resize is None
            else resized(image, self.height, self.width, self.resize)
        )
        planes = np.empty((3, self.height, self.width), np.float32)
        channels = cv2.split(pixels)
        for index, channel in enumerate(channels[::-1] if self.bgr else channels):
            scale = np.float32(1) / np.float32(self.std[index])
            np.multiply(channel, scale, out=planes[index])
            planes[index] -= np.float32(self.mean[index]) * scale
        batch = np.broadcast_to(planes, (self.batch, *planes.shape))
        if self.channels_last:
            batch = batch.transpose(0, 2, 3, 1)
        if self.dtype.kind in "ui":
            limits = np.iinfo(self.dtype)
            batch = np.clip(np.rint(batch), limits.min, limits.max)
        return np.ascontiguousarray(batch, self.dtype)


def possible_inputs(session: Session, options: OnnxOptions, path: Path) -> Iterator[InputLayout]:
    """Yield the ways in which a network may want its input, the likeliest first.

    Raises:
        CheckpointError: it takes no batch of images.
    """
    shape = session.input_shape
    if len(shape) != 4:
        raise CheckpointError(f"{path}: its input has shape {shape}, not a batch of images")
    if any(isinstance(each, int) and each < 1 for each in shape):
        raise CheckpointError(f"{path}: its input has shape {shape}, which no picture has")
    default = _DEFAULTS[session.input_type.kind]
    mean, std = options.mean or (default[0],) * 3, options.std or (default[1],) * 3
    if min(std) <= 0:
        raise CheckpointError(f"{path}: std must be above 0 in every channel, not {list(std)}")
    batch = shape[0] if isinstance(shape[0], int) else 1
    for channels_last in _layouts(shape, options):
        rows, columns = (shape[1], shape[2]) if channels_last else (shape[2], shape[3])
        for height, width in _sizes(rows, columns, options):
            if batch * height * width > MAX_PIXELS:
                raise CheckpointError(
                    f"{path}: its input of {batch} × {height} × {width} pixels does not fit into "
                    f"memory; at most {MAX_PIXELS:,} are taken"
                )
            yield InputLayout(
                batch=batch,
                height=height,
                width=width,
                channels_last=channels_last,
                dtype=session.input_type,
                bgr=options.channel_order == "bgr",
                resize=options.resize,
                mean=mean,
                std=std,
            )


def _layouts(shape: list[int | str | None], options: OnnxOptions) -> list[bool]:
    """Channels last or not; both where the graph leaves it open."""
    if options.layout is not None:
        return [options.layout == "nhwc"]
    if shape[1] == 3:
        return [False]
    if shape[3] == 3:
        return [True]
    return [False] if isinstance(shape[1], int) else [False, True]


def _sizes(
    rows: int | str | None, columns: int | str | None, options: OnnxOptions
) -> list[tuple[int, int]]:
    """Height and width: fixed, or said, or what is usual."""

    def sides(fixed: int | str | None, said: int | None) -> tuple[int, ...]:
        if isinstance(fixed, int):
            return (fixed, fixed)
        return _DEFAULT_SIDES_PX if said is None else (said, said)

    heights, widths = sides(rows, options.input_height), sides(columns, options.input_width)
    return list(dict.fromkeys(zip(heights, widths, strict=True)))
