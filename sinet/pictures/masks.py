"""The one reader of masks: what does a file say is the person?

A mask is two-valued (black and white, or 0 and 1), a matte (soft at its edges), the alpha channel
of a cut-out, one colour on black, or PASCAL VOC's palette. It is looked at as it is stored: its
alpha, palette, depth, and the number, spacing and areas of its levels. What could mean something
else is refused, with what was seen and the option that settles it; nothing is guessed.
"""

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from sinet.errors import PictureError
from sinet.pictures.colour import is_twelve_bit, to_srgb
from sinet.pictures.decode import MAX_MEMORY_BYTES, MAX_PIXELS, load
from sinet.pictures.levels import BLACK_UP_TO, Grey, Mask, Understood, listed, read_levels
from sinet.pictures.mask_options import MaskOptions
from sinet.pictures.orientation import orientation_of
from sinet.pictures.threshold import is_person
from sinet.pictures.unknown import is_wide

Colours = npt.NDArray[np.uint32]  # 0xRRGGBB

_LOSSY: Final = frozenset({"JPEG", "MPO", "WEBP", "AVIF", "JPEG2000"})
_OPAQUE: Final = 255
# Channels of a grey picture that was saved as colour and compressed differ by at most this.
_GREY_SPREAD: Final = 12
_BLACK: Final = 0x000000
# A drawing of few colours: so many of them cover this part of what is seen.
_FEW_COLOURS, _FEW_COVER = 16, 0.9
_LIKE_A_PHOTOGRAPH: Final = 256
# One colour on black: so few pixels may lie so far off the line between the two.
_OFF_AXIS, _OFF_AXIS_SHARE = 48, 0.002
_SAME_IOU: Final = 0.98

_CLASS: Final = "say which is the person: --mask-class N"
_COLOUR: Final = "say which is the person: --mask-class '#rrggbb'"
_CHANNEL: Final = "say which is the mask: --mask-channel alpha or --mask-channel colour"


def _voc_colours() -> list[int]:
    """Return the 256 colours of PASCAL VOC: the bits of a class dealt out to the channels."""
    colours = []
    for number in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
        colours.append(channels[0] << 16 | channels[1] << 8 | channels[2])
    return colours


VOC_COLOURS: Final = tuple(_voc_colours())
_VOC_CLASSES, _VOC_PERSON, _VOC_VOID = 21, 15, 255
_NO_NUMBER: Final = 64


class ReadMask(NamedTuple):
    """A mask as it is stored, not turned."""

    understood: Understood
    orientation: int  # the file's own EXIF orientation, not applied

    @property
    def person(self) -> Mask:
        """(H, W) bool."""
        return self.understood.person

    @property
    def how(self) -> str:
        """How it was read, in words."""
        return self.understood.how


def read_mask(
    data: bytes,
    options: MaskOptions | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    max_memory_bytes: int = MAX_MEMORY_BYTES,
) -> ReadMask:
    """Read a mask file.

    Args:
        data: the content of the file.
        options: what its maker says of it.
        max_pixels: as `decode`.
        max_memory_bytes: likewise.

    Raises:
        PictureError: as `decode`, or `mask_not_binary`: it is not clear what the person is.
    """
    options = options or MaskOptions()
    image = load(data, max_pixels=max_pixels, max_memory_bytes=max_memory_bytes)
    understood = _read(image, options)
    if options.invert:
        person = ~understood.person
        if understood.unknown is not None:
            person &= ~understood.unknown
        understood = understood._replace(person=person, how=f"{understood.how}, inverted")
    if is_wide(understood.unknown):
        understood = understood._replace(how=f"{understood.how}, wide areas left open")
    return ReadMask(understood, orientation_of(image))


def told(how: Counter[str]) -> str:
    """Say in one line how masks were read, the most frequent way first."""
    return ", ".join(f"{number:,} {each}" for each, number in how.most_common())


def _read(image: Image.Image, options: MaskOptions) -> Understood:
    alpha = _alpha(image)
    if options.channel == "alpha":
        if alpha is None:
            raise PictureError(
                "mask_not_binary", f"the mask has no alpha channel ({_kind(image)})."
            )
        return _clear_alpha(alpha, image)
    if alpha is None or options.channel == "colour" or options.person_class is not None:
        return _read_colour(image, options)
    if int(alpha.max()) == int(alpha.min()) > 0:
        return _read_colour(image, options)
    return _read_both(image, alpha, options)


def _read_both(image: Image.Image, alpha: Grey, options: MaskOptions) -> Understood:
    """Read a file with transparency: the alpha of a cut-out, unless its colours say otherwise."""
    understood = _clear_alpha(alpha, image)
    visible = packed(np.asarray(as_rgb(image)))[understood.person]
    if not visible.size:
        raise _unclear("it is transparent everywhere", _CHANNEL)
    _, counts = np.unique(visible, return_counts=True)
    if np.sort(counts)[-_FEW_COLOURS:].sum() < _FEW_COVER * visible.size:
        return understood._replace(how="alpha of a cut-out")
    try:
        said = _read_colour(image, options)
    except PictureError as error:
        if len(counts) == 1:
            return understood
        seen = f"it has alpha, and {len(counts)} colours where it is not transparent"
        raise _unclear(seen, f"{_CHANNEL}, or {_COLOUR}") from error
    common = np.count_nonzero(said.person & understood.person)
    either = np.count_nonzero(said.person | understood.person)
    if not said.person.all() and common < _SAME_IOU * either:
        raise _unclear("its alpha and its colours are different masks", _CHANNEL)
    return understood


def _clear_alpha(alpha: Grey, image: Image.Image) -> Understood:
    understood = read_levels(alpha, is_lossy=image.format in _LOSSY)
    if understood is None:
        raise _unclear(f"its alpha has {listed(alpha)}", "make it 0 and 255")
    return understood._replace(how="alpha")


def _read_colour(image: Image.Image, options: MaskOptions) -> Understood:
    """Read a file but for its alpha."""
    is_lossy = image.format in _LOSSY
    if image.mode == "1":
        return Understood(is_person(np.asarray(image.convert("L"))), "black and white")
    if image.mode in ("P", "PA") and options.colour is None:
        return _read_palette(image, options)
    if image.mode in ("L", "LA", "La", "I", "F") or image.mode.startswith("I;16"):
        return _read_grey(image, options, is_lossy=is_lossy)
    channels = np.asarray(as_rgb(image))
    if options.colour is None and _spread(channels) <= _GREY_SPREAD:
        grey = Image.fromarray(np.ascontiguousarray(channels[..., 1]))
        return _read_grey(grey, options, is_lossy=is_lossy)
    return _read_colours(channels, options, is_lossy=is_lossy)


def _read_grey(image: Image.Image, options: MaskOptions, *, is_lossy: bool) -> Understood:
    values = np.asarray(image.getchannel(0) if image.mode in ("LA", "La") else image)
    if options.numbers:
        person = np.isin(values, options.numbers)
        return Understood(person, f"level {options.person_class}", _open_level(values, options))
    if options.colour is not None:
        raise PictureError("mask_not_binary", f"the mask has no colours ({_kind(image)}).")
    if image.mode == "F" and not np.isfinite(values).all():
        raise _unclear("it holds numbers that are not finite", "save it as 8-bit PNG")
    lowest, highest = float(values.min()), float(values.max())
    if (lowest, highest) == (0, 1) and image.mode != "F":
        return Understood(np.asarray(values == 1, np.bool_), "0 and 1")
    depth = "" if image.mode in ("L", "LA", "La") else f", {_kind(image)}"
    if lowest >= 0 and highest <= 65535:
        understood = read_levels(_eight_bit(values, image, highest), is_lossy=is_lossy)
        if understood is not None:
            return understood._replace(how=f"{understood.how}{depth}")
    raise _unclear(f"it has {listed(values)}{depth}", _hint(values))


def _hint(values: npt.NDArray[np.generic]) -> str:
    """Say what settles the meaning of grey levels."""
    found = np.unique(values)
    if len(found) == 3 and found[0] == 0 and found[2] >= 128 and found[1] > 20:
        return f"it looks like a trimap; {_CLASS}"
    return _CLASS if len(found) <= 256 and found[0] != found[-1] else "make it 0 and 255"


def _eight_bit(values: npt.NDArray[np.generic], image: Image.Image, highest: float) -> Grey:
    """Scale levels to 0..255: by the range of the depth, unless smaller numbers were stored."""
    if values.dtype == np.uint8:
        return np.asarray(values, np.uint8)
    if image.mode == "F" and highest <= 1:
        top = 1.0
    elif highest <= 255:
        top = 255.0
    else:
        top = 4095.0 if is_twelve_bit(image) else 65535.0
    scaled = np.rint(values.astype(np.float32) * np.float32(255 / top))
    return np.asarray(scaled, np.uint8)


def _read_palette(image: Image.Image, options: MaskOptions) -> Understood:
    indices = np.asarray(image.getchannel(0) if image.mode == "PA" else image)
    if options.numbers:
        how = f"palette: index {options.person_class}"
        return Understood(np.isin(indices, options.numbers), how, _open_level(indices, options))
    palette = palette_of(image)
    used = [int(index) for index in np.unique(indices)]
    colours = {index: palette[index] for index in used}
    is_grey = all(_is_grey(colour) for colour in colours.values())
    if is_grey:
        table = np.array([colour & 255 for colour in palette], np.uint8)
        understood = read_levels(table[indices], is_lossy=False)
        if understood is not None:
            return understood
    is_voc = palette[:_VOC_CLASSES] == list(VOC_COLOURS[:_VOC_CLASSES])
    classes = set(used) - {0}
    if is_voc and (_VOC_PERSON in classes or classes <= {_VOC_VOID}):
        how = f"palette of {_VOC_CLASSES} classes: person is index {_VOC_PERSON}"
        person = np.asarray(indices == _VOC_PERSON, np.bool_)
        return Understood(person, how, np.asarray(indices == _VOC_VOID, np.bool_))
    # Tools that draw one class number it 1, whatever 1 is in VOC.
    is_number = is_voc or is_grey  # its index says more than its colour
    if len(classes) == 1 and 0 in used and palette[0] == _BLACK and (not is_number or 1 in classes):
        (index,) = classes
        return Understood(np.asarray(indices == index, np.bool_), "one colour on black")
    shares = np.bincount(indices.ravel(), minlength=256) * 100 / indices.size
    named = ", ".join(f"{i} #{colours[i]:06x} ({shares[i]:.0f} %)" for i in used[:8])
    more = f" and {len(used) - 8} more" if len(used) > 8 else ""
    kind = "PASCAL VOC's palette without person (15)" if is_voc else "a palette"
    raise _unclear(f"it has {kind}, in use: {named}{more}", _CLASS)


def _read_colours(channels: Grey, options: MaskOptions, *, is_lossy: bool) -> Understood:
    """Read (H, W, 3) in colour."""
    colours = packed(channels)
    if options.colour is not None:
        red, green, blue = options.colour
        wanted = red << 16 | green << 8 | blue
        void = None if wanted == VOC_COLOURS[_VOC_VOID] else _void(colours)
        return Understood(np.asarray(colours == wanted, np.bool_), f"colour #{wanted:06x}", void)
    found, counts = np.unique(colours, return_counts=True)
    if options.numbers:
        raise _unclear(f"it has {len(found):,} colours and no numbers", _COLOUR)
    voc = VOC_COLOURS[_VOC_PERSON]
    known = {*VOC_COLOURS[:_VOC_CLASSES], VOC_COLOURS[_VOC_VOID]}
    if voc in found and known.issuperset(found.tolist()):
        person = np.asarray(colours == voc, np.bool_)
        return Understood(person, "PASCAL VOC's colours: person", _void(colours))
    order = np.argsort(counts)[::-1]
    understood = _one_on_black(channels, [int(each) for each in found[order[:2]]], is_lossy)
    if understood is not None:
        return understood
    if len(found) > _LIKE_A_PHOTOGRAPH:
        raise _unclear(f"it has {len(found):,} colours, like a photograph", _COLOUR)
    named = ", ".join(
        f"#{found[each]:06x} ({100 * counts[each] / colours.size:.0f} %)" for each in order[:8]
    )
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    raise _unclear(f"it has the colours {named}{more}", _COLOUR)


def _open_level(values: npt.NDArray[np.generic], options: MaskOptions) -> Mask | None:
    """Which pixels numbers leave open: 255 beside classes; beside 255, the grey of a trimap."""
    found = [int(value) for value in np.unique(values)]
    others = [value for value in found if value not in (0, *options.numbers)]
    if found[-1] != _VOC_VOID or len(found) < 3:
        return None
    if _VOC_VOID in options.numbers:
        is_trimap = len(found) == 3 and len(others) == 1
        return np.asarray(values == others[0], np.bool_) if is_trimap else None
    if len(found) == 3 and found[1] > _NO_NUMBER:  # shades, not classes
        return None
    return np.asarray(values == _VOC_VOID, np.bool_)


def _void(colours: Colours) -> Mask:
    return np.asarray(colours == VOC_COLOURS[_VOC_VOID], np.bool_)


def _one_on_black(channels: Grey, colours: list[int], is_lossy: bool) -> Understood | None:
    """Read one colour on black, soft or compressed at its edges; None if it is something else."""
    blacks = [colour for colour in colours if max(_channels(colour)) <= BLACK_UP_TO]
    if len(colours) != 2 or len(blacks) != 1:
        return None
    (other,) = (each for each in colours if each not in blacks)
    black, colour = (np.array(_channels(each), np.float32) for each in (blacks[0], other))
    axis = colour - black
    share = (channels - black) @ (axis / (axis @ axis))
    off = np.abs(channels - black - share[..., None] * axis).max(axis=2)
    if np.count_nonzero(off > _OFF_AXIS) > _OFF_AXIS_SHARE * off.size:
        return None
    grey = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    understood = read_levels(grey, is_lossy=is_lossy)
    return understood and understood._replace(how="one colour on black")


def _alpha(image: Image.Image) -> Grey | None:
    """Return the transparency, (H, W), of a file that has any, also of single colours."""
    if image.mode in ("LA", "RGBA", "PA"):
        return np.asarray(image.getchannel("A"))
    if image.mode in ("La", "RGBa"):
        return np.asarray(image.getchannel("a"))
    if not image.has_transparency_data:
        return None
    transparent = image.info["transparency"]
    if image.mode.startswith("I"):
        return np.where(np.asarray(image) == transparent, 0, _OPAQUE).astype(np.uint8)
    plain = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    return np.asarray(plain.getchannel("A"))


def as_rgb(image: Image.Image) -> Image.Image:
    """Return a picture in RGB."""
    if image.mode == "LAB":  # which Pillow converts by a profile only
        return Image.fromarray(to_srgb(image))
    return image if image.mode == "RGB" else image.convert("RGB")


def packed(channels: Grey) -> Colours:
    """Return (H, W, 3) as one number a pixel, 0xRRGGBB."""
    packed = channels[..., 0].astype(np.uint32)
    for channel in (1, 2):
        packed <<= 8
        packed |= channels[..., channel]
    return packed


def _channels(colour: int) -> tuple[int, int, int]:
    return colour >> 16, colour >> 8 & 255, colour & 255


def palette_of(image: Image.Image) -> list[int]:
    """Return the 256 colours of a palette, black where it is shorter."""
    flat = (image.getpalette("RGB") or [])[: 3 * 256]
    colours = [r << 16 | g << 8 | b for r, g, b in zip(*[iter(flat)] * 3, strict=False)]
    return colours + [_BLACK] * (256 - len(colours))


def _is_grey(colour: int) -> bool:
    red, green, blue = _channels(colour)
    return red == green == blue


def _spread(channels: Grey) -> int:
    """Return the largest difference between the channels of a pixel."""
    return int((channels.max(axis=2) - channels.min(axis=2)).max())


def _kind(image: Image.Image) -> str:
    names = {"1": "1-bit", "L": "8-bit grey", "P": "palette", "I": "32-bit", "F": "floating point"}
    depth = "16-bit" if image.mode.startswith("I;16") else image.mode
    return f"{image.format} {names.get(image.mode, depth)}"


def _unclear(seen: str, settles: str) -> PictureError:
    return PictureError("mask_not_binary", f"the mask is not two-valued: {seen}; {settles}.")
