"""Pictures for a page: many small ones in one file, masks as outlines, probabilities in grey."""

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.workspace.errors import WorkspaceError
from sinet.errors import PictureError
from sinet.pictures.decode import decode_grey
from sinet.pictures.threshold import is_person

CELL_PX: Final = (144, 192)
"""Width and height that a picture fits in."""
PROBABILITY_PX: Final = (72, 96)
COLUMNS: Final = 10
PER_SHEET: Final = 100
_QUALITY: Final = 58
_THREADS: Final = 4
# What is coarser than half a pixel of a thumbnail cannot be seen on it.
_TOLERANCE_PX: Final = 0.5
_REDUCED: Final = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A portrait as a page shows it.

    Attributes:
        rgb: (h, w, 3) uint8 within `CELL_PX`; None: a blob of it is missing or damaged, as `verify`
            tells.
        outlines: SVG path data of each mask's outline, in pixels of `rgb`; empty: no mask.
        probability: (h, w) uint8 within `PROBABILITY_PX`, 255 = surely the person; None: no such.
    """

    rgb: Pixels | None
    outlines: tuple[str, ...] = ()
    probability: Pixels | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; of what cannot be read those of a cell."""
        return CELL_PX if self.rgb is None else (self.rgb.shape[1], self.rgb.shape[0])


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a picture is made of: blobs that are read when it is drawn.

    Attributes:
        blob: store key of the crop.
        size: its width and height, in pixels.
        masks: store keys of masks, of the same size.
        probability_blob: store key; None: there is none.
        more: further masks, of any size, computed from the crop's pixels (H, W, 3) at full size.
    """

    blob: str
    size: tuple[int, int]
    masks: tuple[str, ...] = ()
    probability_blob: str | None = None
    more: Callable[[Pixels], Sequence[NDArray[np.bool_]]] | None = None


def draw(read: Callable[[str], bytes], items: Sequence[Drawn]) -> Iterable[Picture]:
    """Make the pictures, in order; what cannot be read says so in its place.

    Args:
        read: bytes of a blob by its key; called by several threads.
        items: what to draw.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(lambda item: _picture(read, item), items)


def outline(mask: NDArray[np.bool_], size: tuple[int, int]) -> str:
    """A mask's outline as SVG path data, in whole pixels of a picture.

    Args:
        mask: (H, W).
        size: width and height of the picture.
    """
    small = cv2.resize(mask.astype(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    inside = (small >= 128).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parts = []
    for contour in found:
        points = cv2.approxPolyDP(contour, _TOLERANCE_PX, True)[:, 0]
        if len(points) > 2:
            parts.append("M" + " ".join(f"{x} {y}" for x, y in points) + "Z")
    return "".join(parts)


def fitted(size: tuple[int, int], within: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a picture that was shrunk to fit; never enlarged."""
    factor = min(1.0, within[0] / size[0], within[1] / size[1])
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def sheets(pictures: Sequence[Pixels | None], cell: tuple[int, int]) -> list[str]:
    """Pictures side by side, a hundred in a file, as base64 of WebP.

    Args:
        pictures: (h, w, 3) or (h, w) uint8 of at most `cell`, each in the upper left corner of its
            cell; None: an empty one.
        cell: width and height of a cell.
    """
    width, height = cell
    found = []
    for start in range(0, len(pictures), PER_SHEET):
        part = pictures[start : start + PER_SHEET]
        rows = -(-len(part) // COLUMNS)
        sheet = Image.new("RGB", (width * COLUMNS, height * rows), (128, 128, 128))
        for number, each in enumerate(part):
            if each is not None:
                row, column = divmod(number, COLUMNS)
                sheet.paste(Image.fromarray(each), (column * width, row * height))
        data = io.BytesIO()
        sheet.save(data, "WEBP", quality=_QUALITY, method=4)
        found.append(base64.b64encode(data.getvalue()).decode())
    return found


def _picture(read: Callable[[str], bytes], item: Drawn) -> Picture:
    try:
        rgb = _colour(read(item.blob), item.size, full=item.more is not None)
        size = fitted((rgb.shape[1], rgb.shape[0]), CELL_PX)
        outlines = [outline(is_person(decode_grey(read(key))), size) for key in item.masks]
        if item.more is not None:
            outlines += [outline(mask, size) for mask in item.more(rgb)]
        probability = None
        if item.probability_blob is not None:
            grey = decode_grey(read(item.probability_blob))
            within = fitted((grey.shape[1], grey.shape[0]), PROBABILITY_PX)
            probability = _shrunk(grey, within)
    except (WorkspaceError, PictureError):
        return Picture(rgb=None)
    return Picture(rgb=_shrunk(rgb, size), outlines=tuple(outlines), probability=probability)


def _colour(data: bytes, size: tuple[int, int], *, full: bool) -> Pixels:
    """Decode a crop; at an eighth, a quarter or half its size where that is enough."""
    wanted = fitted(size, CELL_PX)
    flag = next(
        (flag for by, flag in _REDUCED if min(size[0] / wanted[0], size[1] / wanted[1]) >= by),
        cv2.IMREAD_COLOR,
    )
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR if full else flag)
    if found is None:
        raise PictureError("no_image", "this blob is no image")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)


def _shrunk(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
