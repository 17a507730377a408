"""The one decoder: bytes of any web image in, upright 8-bit sRGB pixels out.

Only this module turns files into pixels, so that image, mask and crop always agree on
orientation and colours. Pillow decodes; the size is checked against the header before any
pixel is, the EXIF orientation is applied once, colour profiles are converted to sRGB and
transparency is laid over white.
"""

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile

from pipelines.workspace.errors import ItemError

# What a crawl delivers. Not all that Pillow can open: EPS would start Ghostscript, and
# formats without a signature turn stray files into noise. TGA has none: it comes last.
FORMATS: Final = (
    "JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP",
    "JPEG2000", "ICO", "PSD", "QOI", "PPM", "TGA",
)  # fmt: skip

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION_TAG: Final = 0x0112
_BITS_PER_SAMPLE_TAG: Final = 258
# Modes of Pillow on the way to one that a colour profile can describe.
_PLAIN_MODE: Final = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
_PROFILE_MODE: Final = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}
_TRUNCATED: Final = re.compile(
    r"truncat|cut off|not enough|unexpected end|end of file|buffer is not large|"
    r"unpack(_from)? requires|index out of range|no more (data|images)|but only got|is incomplete",
    re.IGNORECASE,
)
# Rounding in differently written sRGB profiles moves a channel by at most this much.
_SRGB_TOLERANCE: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """One upright image.

    Attributes:
        rgb: uint8 (H, W, 3), sRGB, channels R, G, B, C-contiguous; read-only.
        format: Pillow's name of the file format, such as `JPEG` or `MPO`.
    """

    rgb: npt.NDArray[np.uint8]
    format: str


def decode(data: bytes, *, max_pixels: int) -> DecodedImage:
    """Decode an image file; of an animation or a multi-page file, the first frame.

    Thread-safe: no global setting of Pillow or of `warnings` is read or changed, but for
    Pillow's own limit (`Image.MAX_IMAGE_PIXELS`, 179 megapixels as shipped), which some of
    its plugins apply on top of `max_pixels`.

    Args:
        data: the content of the file; its name and suffix do not matter.
        max_pixels: largest width × height that is decoded.

    Raises:
        ItemError: `empty_file`, `not_an_image` (no format of `FORMATS`),
            `too_many_pixels`, `truncated` or `decode_failed`.
        MemoryError: the machine, not the file, is at fault; retry elsewhere.
    """
    if not data:
        raise ItemError("empty_file", "the file is empty: fetch it again.")
    try:
        image = _open(data)
        _check_pixels(_declared_size(image, data), max_pixels)
        image.load()
        rgb = _to_srgb(image)
        method = _UPRIGHT.get(_orientation(image))
        if method is not None:
            rgb = rgb.transpose(method)
        return DecodedImage(np.asarray(rgb), image.format or "")
    except (ItemError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ItemError("too_many_pixels", f"{error} Leave the file out.") from error
    except Exception as error:  # Pillow's plugins raise whatever a broken file provokes
        raise _failure(error, data) from error


def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int = 95) -> bytes:
    """Encode pixels as a baseline JPEG without EXIF, GPS, ICC or any other metadata.

    The bytes depend only on the arguments. Chroma is subsampled (4:2:0): on web photos,
    which are 4:2:0 already, 4:4:4 lowers the mean error only from 0.38 to 0.34 of 255, for
    15 % more bytes and 2.5 times the time.

    Args:
        rgb: uint8 (H, W, 3), sRGB, channels R, G, B.
        quality: 1 to 100.
    """
    options = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]  # fmt: skip
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    assert done, "cv2 raises on wrong input, and writing to memory cannot fail"
    return encoded.tobytes()


def decode_jpeg_crop(data: bytes) -> npt.NDArray[np.uint8]:
    """Decode a crop written by `encode_jpeg`: uint8 (H, W, 3), sRGB, R, G, B, read-only.

    Raises:
        ItemError: as `decode`.
    """
    # Crops are our own files: no limit but the JPEG format's.
    return decode(data, max_pixels=65535**2).rgb


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
    raise ItemError("not_an_image", f"not an image: {_guess(data)}.")


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


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ItemError(
            "too_many_pixels",
            f"{width} × {height} is {width * height / 1e6:,.1f} megapixels, more than the limit "
            f"of {max_pixels / 1e6:,.1f}: raise the limit or leave the file out.",
        )


def _to_srgb(image: Image.Image) -> Image.Image:
    """Return a loaded image of any mode as RGB: 8 bits, sRGB, transparency over white."""
    profile = image.info.get("icc_profile")
    if image.mode[0] in "IF":
        image = _grey_8_bit(image)
    # What `transparency` in `info` makes of L, RGB and P, Pillow does on conversion.
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        image = image.convert("LA" if image.mode in ("1", "L", "La") else "RGBA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        image = image.convert(_PLAIN_MODE.get(image.mode, "RGB"))
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    if alpha is not None:
        image = image.convert(image.mode[:-1])
    rgb = _apply_profile(image, profile)
    if alpha is None:
        return rgb
    over_white = Image.new("RGB", rgb.size, "white")
    over_white.paste(rgb, mask=alpha)
    return over_white


def _grey_8_bit(image: Image.Image) -> Image.Image:
    """Scale a grey image of 12, 16 or 32 bits to L (LA if one value is transparent).

    16 bits have a nominal range. Integers of 32 bits and floats have none: the smallest of
    the customary ranges 0..1 (floats only), 0..255 and 0..65535 that holds all values is
    taken, else the image's own range. NaN becomes black.
    """
    values = np.asarray(image).astype(np.float64)
    low = 0.0
    if image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})  # a 12-bit TIFF is unpacked into 16 bits
        high = 4095.0 if tags.get(_BITS_PER_SAMPLE_TAG) == (12,) else 65535.0
    else:
        finite = values[np.isfinite(values)]
        smallest, largest = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        customary = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        high = next((top for top in customary if smallest >= 0 and largest <= top), 0.0)
        if not high:
            low, high = smallest, largest
    span = max(high - low, 1e-12)
    scaled = np.clip(np.nan_to_num((values - low) / span, nan=0.0), 0.0, 1.0)
    grey = Image.fromarray(np.rint(scaled * 255).astype(np.uint8))
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


def _apply_profile(image: Image.Image, profile: object) -> Image.Image:
    """Return an L, RGB, CMYK or LAB image as sRGB, by its ICC profile where it has a fit one."""
    if isinstance(profile, bytes) and profile:
        transform = _srgb_transform(profile)
        if transform is not None:
            if image.mode == "L" and transform.input_mode == "RGB":
                image = image.convert("RGB")  # a grey JPEG that kept its camera's profile
            if image.mode == transform.input_mode:
                return transform.apply(image)
    if image.mode == "LAB":  # Pillow converts Lab through a profile only
        return _lab_transform().apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=32)
def _srgb_transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Return the perceptual transform to sRGB; None if it changes nothing or is broken.

    Cached, since a crawl holds few different profiles and building one takes milliseconds.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _PROFILE_MODE.get(source.profile.xcolor_space.strip())
        if mode is None:
            return None
        transform = _transform(source, mode)
        # Whether a profile is sRGB is seen in what it does, not in what it calls itself.
        if mode in ("L", "RGB"):
            lattice = _lattice(mode)
            moved = np.asarray(transform.apply(lattice)).astype(np.int16)
            moved -= np.asarray(lattice.convert("RGB"))
            if np.abs(moved).max() <= _SRGB_TOLERANCE:
                return None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    return _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _transform(source: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsTransform(source, target, mode, "RGB", ImageCms.Intent.PERCEPTUAL)


def _lattice(mode: str) -> Image.Image:
    """Return an image of all greys, or of 16 × 16 × 16 colours across the cube."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8).reshape(1, 256))
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    return Image.fromarray(np.ascontiguousarray(cube.reshape(64, 64, 3)))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation still to be applied (1 to 8), 1 if absent or invalid.

    Asked after loading: PNG may hold EXIF behind the pixels, and Pillow's TIFF plugin has
    then turned the pixels and dropped the tag itself.
    """
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # EXIF of a crawl is broken in every way; the pixels are still good
        return 1
    return value if isinstance(value, int) else 1


def _failure(error: Exception, data: bytes) -> ItemError:
    """Turn what Pillow raised into `truncated` or `decode_failed`, in one line."""
    what = " ".join(str(error).split()) or type(error).__name__
    if _TRUNCATED.search(what) or isinstance(error, EOFError) or _declares_more(data):
        return ItemError("truncated", f"the image is cut off ({what}): fetch the file again.")
    return ItemError("decode_failed", f"the image is damaged ({what}): fetch the file again.")


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


def _guess(data: bytes) -> str:
    """Say what a file that is no image seems to be, and what to do about it."""
    head = data[:1024].lstrip().lower()
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "it looks like HEIC, which is not read here; convert it to JPEG or PNG"
    if head.startswith((b"<!doctype", b"<html")):
        return "it is an HTML page, probably an error page; fetch the file again"
    if b"<svg" in head:
        return "it looks like SVG, a drawing without pixels; leave it out"
    if not any(data[:1024]):
        return "it starts with zero bytes, probably a broken download; fetch the file again"
    return f"it starts with {data[:12]!r}; check what was fetched"
