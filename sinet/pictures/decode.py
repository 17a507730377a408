"""The one decoder: bytes of any web image in, upright 8-bit sRGB pixels out.

Only this package turns foreign files into pixels, so that image, mask and crop always agree on
orientation and colours, whoever reads them. The size is checked against the header before any
pixel is decoded, the EXIF orientation is applied once, colour profiles are converted to sRGB and
transparency is laid over white. libjpeg-turbo decodes JPEG, as fast as OpenCV and without its
silence about files that are cut off; Pillow decodes the rest. Neither writes to the terminal.
"""

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, TiffImagePlugin

from sinet.errors import PictureError
from sinet.pictures import jpeg, jpeg2000, png, webp
from sinet.pictures.colour import to_srgb
from sinet.pictures.kinds import FORMATS, guess
from sinet.pictures.orientation import ORIENTATION_TAG, UPRIGHT, orientation_of, turned

MAX_PIXELS: Final = 120_000_000
MAX_MEMORY_BYTES: Final = 1024**3

_TRUNCATED: Final = re.compile(
    r"truncat|cut off|not enough|unexpected end|end of file|buffer is not large|"
    r"unpack(_from)? requires|index out of range|no more (data|images)|but only got|is incomplete",
    re.IGNORECASE,
)
# Bytes a pixel while a picture is decoded: what Pillow keeps of a mode, what a format's library
# keeps beside it, and the result, which is 3.
_MODE_BYTES: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
_OTHER_MODE_BYTES: Final = 4
_FORMAT_BYTES: Final = {"JPEG2000": 16, "AVIF": 10, "WEBP": 8, "GIF": 4, "TIFF": 4, "PSD": 4}
_RESULT_BYTES: Final = 3
_MAX_PAGES: Final = 100
_GZIP: Final = b"\x1f\x8b"
_MAX_UNPACKED_BYTES: Final = 512 * 1024**2
_DNG_VERSION_TAG: Final = 50706
_SUBFILE_TYPE_TAG, _SUB_FILES_TAG = 254, 330


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DecodedPicture:
    """One upright picture.

    Attributes:
        rgb: uint8 (H, W, 3), sRGB, channels R, G, B, C-contiguous; read-only.
        format: Pillow's name of the file format, such as `JPEG` or `MPO`.
        orientation: the EXIF orientation that was applied, 1 to 8; 1: none.
    """

    rgb: npt.NDArray[np.uint8]
    format: str
    orientation: int


def decode(
    data: bytes, *, max_pixels: int = MAX_PIXELS, max_memory_bytes: int = MAX_MEMORY_BYTES
) -> DecodedPicture:
    """Decode an image file; of an animation the first frame, of several pages the largest.

    Thread-safe: no global setting of Pillow or of `warnings` is read or changed, but for
    Pillow's own limit (`Image.MAX_IMAGE_PIXELS`, 179 megapixels as shipped), which some of
    its plugins apply on top of `max_pixels`.

    Args:
        data: the content of the file; its name and suffix do not matter.
        max_pixels: largest width × height that is decoded.
        max_memory_bytes: most memory that decoding may take.

    Raises:
        PictureError: `empty_file`, `not_an_image` (no format of `FORMATS`),
            `too_many_pixels`, `too_much_memory`, `truncated` or `decode_failed`.
        MemoryError: the machine, not the file, is at fault; retry elsewhere.
    """
    with _faults(data):
        image, profile, data = _opened(data, max_pixels, max_memory_bytes)
        tag = _stored_orientation(image)
        decoded = _quickly(image, data)
        if decoded is None:
            _load(image, data)
        rgb = to_srgb(image, decoded, profile)
        orientation = orientation_of(image)
        rgb = np.ascontiguousarray(turned(rgb, orientation))
        rgb.flags.writeable = False
        return DecodedPicture(
            rgb=rgb,
            format=image.format or "",
            orientation=tag if orientation == UPRIGHT else orientation,
        )


def load(
    data: bytes, *, max_pixels: int = MAX_PIXELS, max_memory_bytes: int = MAX_MEMORY_BYTES
) -> Image.Image:
    """Decode an image file to its stored values: not turned, not converted, alpha beside colour.

    What a mask must be read from: its levels, palette and depth say what it means.

    Args:
        data: as `decode`.
        max_pixels: likewise.
        max_memory_bytes: likewise.

    Raises:
        PictureError: as `decode`.
        MemoryError: likewise.
    """
    with _faults(data):
        image, _, data = _opened(data, max_pixels, max_memory_bytes)
        _load(image, data)
        return image


def decode_grey(data: bytes) -> npt.NDArray[np.uint8]:
    """Decode a mask or a probability that this project has written: uint8 (H, W), 0 to 255.

    What others have written is for `sinet.pictures.masks` to understand.

    Raises:
        PictureError: as `decode`.
    """
    image = load(data)
    return np.array(image if image.mode == "L" else image.convert("L"))


def stored_orientation(data: bytes) -> int:
    """Return the EXIF orientation of an image file, 1 to 8, without decoding its pixels.

    Raises:
        PictureError: as `decode`, but for what is wrong with the pixels.
    """
    with _faults(data):
        image, _, _ = _opened(data, MAX_PIXELS, MAX_MEMORY_BYTES)
        tag = _stored_orientation(image)
        return orientation_of(image) if tag == UPRIGHT else tag


@contextmanager
def _faults(data: bytes) -> Iterator[None]:
    """Turn what the decoders raise into an error with a reason."""
    if not data:
        raise PictureError("empty_file", "the file is empty: fetch it again.")
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise PictureError("too_many_pixels", f"{error} Leave the file out.") from error
    except Exception as error:  # Pillow's plugins raise whatever a broken file provokes
        raise _failure(error, data) from error


def _opened(
    data: bytes, max_pixels: int, max_memory_bytes: int
) -> tuple[ImageFile.ImageFile, bytes | None, bytes]:
    """Return the image with no pixel decoded, its profile if Pillow cannot hold it, its file."""
    profile = None
    if data.startswith(_GZIP):  # as a server sent it
        data = _unpacked(data)
    if data.startswith(b"\x89PNG"):
        data, profile = png.cleaned(data)
    elif data.startswith(b"RIFF"):
        data = webp.cleaned(data)
    else:
        data = jpeg2000.whole(data)
    image = _open(data)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _refuse_raw(image, data)
        _turn_to_largest_page(image)
    size = _declared_size(image, data)
    _check_size(image, size, max_pixels, max_memory_bytes)
    return image, profile, data


def _unpacked(data: bytes) -> bytes:
    packed = zlib.decompressobj(zlib.MAX_WBITS | 16)
    unpacked = packed.decompress(data, _MAX_UNPACKED_BYTES)
    if not packed.eof:
        raise EOFError("it is packed with gzip, and its end is missing or too far away")
    return unpacked


def _open(data: bytes) -> ImageFile.ImageFile:
    """Return the image with its header read and no pixel decoded.

    Unlike `Image.open`, a file with the signature of a format but a broken header is an
    error of that format, not "cannot identify", and the pixel count is left to the caller
    instead of warned about.
    """
    Image.init()
    for name in FORMATS:
        factory, accept = Image.OPEN[name]
        if accept is None:
            try:
                return factory(io.BytesIO(data), "")
            except (SyntaxError, IndexError, TypeError, ValueError):
                continue  # without a signature, a bad header means another format
        elif accept(data[:16]) is True:
            return factory(io.BytesIO(data), "")
    raise PictureError("not_an_image", f"not an image: {guess(data)}.")


def _quickly(image: ImageFile.ImageFile, data: bytes) -> npt.NDArray[np.uint8] | None:
    """Decode an ordinary JPEG; None if the file is another, or too odd for the quick decoder."""
    if image.format not in ("JPEG", "MPO") or image.mode not in ("RGB", "L"):
        return None
    try:
        return jpeg.pixels(data, "RGB" if image.mode == "RGB" else "L")
    except ValueError:
        return None


def _load(image: ImageFile.ImageFile, data: bytes) -> None:
    """Decode the pixels; those of a JPEG also where only its end marker is missing."""
    if image.format in ("JPEG", "MPO"):
        image.fp = io.BytesIO(jpeg.whole(data))
    image.load()


def _stored_orientation(image: ImageFile.ImageFile) -> int:
    """Return the orientation that Pillow applies itself, as it does to TIFF."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return UPRIGHT
    value = image.tag_v2.get(ORIENTATION_TAG, UPRIGHT)
    return value if isinstance(value, int) and 1 <= value <= 8 else UPRIGHT


def _turn_to_largest_page(image: TiffImagePlugin.TiffImageFile) -> None:
    """Choose the page with the most pixels, of equal ones the first: the rest are previews."""
    largest, pixels = 0, image.width * image.height
    for page in range(1, _MAX_PAGES):
        try:
            image.seek(page)
        except Exception:  # the last page, or one that is broken and cannot be the picture
            break
        if image.width * image.height > pixels:
            largest, pixels = page, image.width * image.height
    image.seek(largest)


def _refuse_raw(image: TiffImagePlugin.TiffImageFile, data: bytes) -> None:
    """Refuse a camera's raw file: what could be decoded of it is its preview."""
    tags = image.tag_v2
    is_preview = bool(tags.get(_SUBFILE_TYPE_TAG, 0) & 1) and _SUB_FILES_TAG in tags
    if data[8:10] == b"CR" or _DNG_VERSION_TAG in tags or is_preview:
        raise PictureError(
            "not_an_image",
            "not an image: it looks like a camera's raw file; export it as JPEG or PNG.",
        )


def _declared_size(image: ImageFile.ImageFile, data: bytes) -> tuple[int, int]:
    """Return (width, height) as the header of the pixels to be decoded gives it."""
    if image.format == "ICO":
        # The icon's directory says at most 256; the PNG inside it says what is decoded.
        sizes = [
            (int.from_bytes(data[at + 16 : at + 20]), int.from_bytes(data[at + 20 : at + 24]))
            for at in (match.start() for match in re.finditer(rb"\x89PNG\r\n\x1a\n", data))
        ]
        return max([image.size, *sizes], key=lambda size: size[0] * size[1])
    return image.size


def _check_size(
    image: ImageFile.ImageFile, size: tuple[int, int], max_pixels: int, max_memory_bytes: int
) -> None:
    width, height = size
    pixels = width * height
    if pixels > max_pixels:
        raise PictureError(
            "too_many_pixels",
            f"{width} × {height} is {pixels / 1e6:,.1f} megapixels, more than the limit "
            f"of {max_pixels / 1e6:,.1f}: raise the limit or leave the file out.",
        )
    each = _MODE_BYTES.get(image.mode, _OTHER_MODE_BYTES) + _RESULT_BYTES
    needed = pixels * (each + _FORMAT_BYTES.get(image.format or "", 0))
    if needed > max_memory_bytes:
        raise PictureError(
            "too_much_memory",
            f"{width} × {height} pixels of {image.format} {image.mode} take "
            f"{needed / 1e6:,.0f} MB to decode, more than the limit of "
            f"{max_memory_bytes / 1e6:,.0f}: raise the limit or leave the file out.",
        )


def _failure(error: Exception, data: bytes) -> PictureError:
    """Turn what a decoder raised into `truncated` or `decode_failed`, in one line."""
    what = " ".join(str(error).split()) or type(error).__name__
    if _TRUNCATED.search(what) or isinstance(error, EOFError) or _declares_more(data):
        return PictureError("truncated", f"the image is cut off ({what}): fetch the file again.")
    return PictureError("decode_failed", f"the image is damaged ({what}): fetch the file again.")


def _declares_more(data: bytes) -> bool:
    """Tell whether a broken file's container says that it is longer than it is.

    The decoders of these formats report a cut-off file as any other damage.
    """
    if data[:4] == b"RIFF":  # WebP
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if data[:4] in (b"II*\0", b"MM\0*"):  # TIFF: its directory often lies at the end
        return int.from_bytes(data[4:8], "little" if data[:1] == b"I" else "big") >= len(data)
    if data[4:8] in (b"ftyp", b"jP  "):  # AVIF, JPEG 2000: a chain of boxes
        start = 0
        while start < len(data):
            size = int.from_bytes(data[start : start + 4])
            if size < 8:  # 0: to the end of the file; 1: a 64-bit length, of no image
                return False
            start += size
        return start > len(data)
    return False
