"""Pixels of any mode as 8-bit sRGB: depth, transparency and colour profiles.

A picture is converted band by band, so that it takes 3 bytes a pixel beyond what its decoder
holds, whatever its mode.
"""

import io
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Pixels = npt.NDArray[np.uint8]

BAND_PIXELS: Final = 1 << 20

_BITS_PER_SAMPLE_TAG: Final = 258
# Modes of Pillow on the way to one that a colour profile can describe.
_PLAIN_MODE: Final = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
_PROFILE_MODE: Final = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}
# Rounding in differently written sRGB profiles moves a channel by at most this much.
_SRGB_TOLERANCE: Final = 2


class _Range(NamedTuple):
    """The values that become black and white."""

    low: float
    high: float


def to_srgb(
    image: Image.Image, decoded: Pixels | None = None, profile: bytes | None = None
) -> Pixels:
    """Return a loaded image of any mode as uint8 (H, W, 3): sRGB, transparency over white.

    Args:
        image: loaded, unless its pixels are given.
        decoded: pixels of an L or RGB image that were read without Pillow.
        profile: colour profile; None: the image's own, if it has one.
    """
    profile = profile or image.info.get("icc_profile")
    transform = _srgb_transform(profile) if isinstance(profile, bytes) and profile else None
    if decoded is not None and decoded.ndim == 3 and transform is None:
        return decoded
    width, height = image.size
    grey_range = _grey_range(image) if image.mode[0] in "IF" else None
    rows = max(1, BAND_PIXELS // width)
    if decoded is None and height <= rows:
        return np.asarray(_over_white(image, transform, grey_range))
    rgb = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        if decoded is None:
            band = image.crop((0, top, width, bottom))
        else:
            band = Image.fromarray(decoded[top:bottom])
        rgb[top:bottom] = np.asarray(_over_white(band, transform, grey_range))
    return rgb


def is_twelve_bit(image: Image.Image) -> bool:
    """Tell whether 16-bit values are 12-bit ones: of a TIFF, which Pillow unpacks so."""
    return bool(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE_TAG) == (12,))


def _over_white(
    image: Image.Image,
    transform: ImageCms.ImageCmsTransform | None,
    grey_range: _Range | None,
) -> Image.Image:
    if grey_range is not None:
        image = _grey_8_bit(image, grey_range)
    # What `transparency` in `info` makes of L, RGB and P, Pillow does on conversion.
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        image = image.convert("LA" if image.mode in ("1", "L", "La") else "RGBA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        image = image.convert(_PLAIN_MODE.get(image.mode, "RGB"))
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    if alpha is not None:
        image = image.convert(image.mode[:-1])
    rgb = _apply(transform, image)
    if alpha is None:
        return rgb
    over_white = Image.new("RGB", rgb.size, "white")
    over_white.paste(rgb, mask=alpha)
    return over_white


def _grey_range(image: Image.Image) -> _Range:
    """Return the range of a grey image of 12, 16 or 32 bits.

    16 bits have a nominal range. Integers of 32 bits and floats have none: the smallest of
    the customary ranges 0..1 (floats only), 0..255 and 0..65535 that holds all values is
    taken, else the image's own range.
    """
    if image.mode.startswith("I;16"):
        return _Range(0.0, 4095.0 if is_twelve_bit(image) else 65535.0)
    values = np.asarray(image)
    finite = values[np.isfinite(values)] if image.mode == "F" else values
    if not finite.size:
        return _Range(0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    customary = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    top = next((top for top in customary if low >= 0 and high <= top), None)
    return _Range(0.0, top) if top else _Range(low, high)


def _grey_8_bit(image: Image.Image, limits: _Range) -> Image.Image:
    """Scale to L (LA if one value is transparent); NaN becomes black."""
    values = np.asarray(image)
    grey = Image.fromarray(_scaled(values, limits))
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


def _scaled(values: npt.NDArray[np.generic], limits: _Range) -> Pixels:
    numbers = values.astype(np.float64)
    numbers -= limits.low
    numbers /= max(limits.high - limits.low, 1e-12)
    np.nan_to_num(numbers, copy=False, nan=0.0)
    np.clip(numbers, 0.0, 1.0, out=numbers)
    numbers *= 255
    return np.rint(numbers, out=numbers).astype(np.uint8)


def _apply(transform: ImageCms.ImageCmsTransform | None, image: Image.Image) -> Image.Image:
    """Return an L, RGB, CMYK or LAB image as sRGB, by its ICC profile where it has a fit one."""
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
