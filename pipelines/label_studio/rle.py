"""Masks in Label Studio's brush format: run lengths over RGBA pixels, packed bit by bit.

The format is thi.ng's rle-pack: a header of 53 bits (number of values, bits a value, four sizes of
run lengths), then tokens: a flag (run or literals), two bits that choose a size, the length less
one, and the value or the literals. Label Studio stores a brush stroke in all four channels and
shows the alpha channel. The bytes are those of the SDK's own encoder, at a hundredth of its time.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.workspace.errors import PipelineError

_CHANNELS = 4
_WORD_BITS = 8
_SIZES = (3, 4, 8, 16)
_LONGEST_RUN = 1 << _SIZES[-1]
_HEADER_BITS = 32 + 5 + 4 * len(_SIZES)


class RleError(PipelineError):
    """A brush result is not what Label Studio writes."""


def encode_mask(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a mask as the brush stroke that covers it.

    Args:
        mask: (H, W) bool, not empty.

    Returns:
        Bytes as numbers, as the server wants them in JSON.
    """
    flat = np.ascontiguousarray(mask).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size) * _CHANNELS
    values = flat[starts].astype(np.int64) * 255
    # A run too long for one token is cut: all pieces but the last have full length.
    pieces = (lengths - 1) // _LONGEST_RUN + 1
    last = np.cumsum(pieces) - 1
    piece_lengths = np.full(int(pieces.sum()), _LONGEST_RUN)
    piece_lengths[last] = lengths - (pieces - 1) * _LONGEST_RUN
    # The size is chosen by the whole run, also for the short rest of a cut one.
    choice = np.repeat(np.searchsorted([1 << size for size in _SIZES[:-1]], lengths), pieces)
    size = np.asarray(_SIZES)[choice]
    codes = (((4 | choice) << size) | (piece_lengths - 1)) << _WORD_BITS
    return _pack(codes | np.repeat(values, pieces), 3 + size + _WORD_BITS, flat.size * _CHANNELS)


def decode_mask(rle: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
    """Decode a brush result.

    Args:
        rle: bytes as numbers.
        height: `original_height` of the result, in pixels.
        width: `original_width`.

    Returns:
        (H, W) uint8, the alpha channel: 255 inside of a stroke; its antialiased edge in between.

    Raises:
        RleError: cut off, or not of this size.
    """
    try:
        data = bytes(rle)
    except (TypeError, ValueError) as error:
        raise RleError(f"a brush result is not a list of bytes ({error})") from error
    header = int.from_bytes(data[:8].ljust(8, b"\0")) >> (64 - _HEADER_BITS)
    sizes = [((header >> shift) & 15) + 1 for shift in (12, 8, 4, 0)]
    word_bits = ((header >> 16) & 31) + 1
    count = header >> 21
    if len(data) < 8 or count != height * width * _CHANNELS or word_bits > 8:
        raise RleError(
            f"a brush result holds {count} values, not those of {width}×{height} RGBA pixels"
        )
    values, lengths = _tokens(data, count, sizes, word_bits)
    pixels = np.repeat(np.asarray(values, np.uint8), lengths)
    if pixels.size != count:
        raise RleError("a brush result holds longer runs than it says")
    return np.ascontiguousarray(pixels.reshape(height, width, _CHANNELS)[..., 3])


def _pack(codes: NDArray[np.int64], widths: NDArray[np.int64], count: int) -> list[int]:
    """Header and tokens (code and its number of bits) as one string of bits, in bytes."""
    header = count << 5 | (_WORD_BITS - 1)
    for size in _SIZES:
        header = header << 4 | (size - 1)
    codes = np.concatenate([[header], codes])
    widths = np.concatenate([[_HEADER_BITS], widths])
    ends = np.cumsum(widths)
    # For every bit, how far it is from the end of its token.
    distance = np.repeat(ends, widths) - 1 - np.arange(ends[-1])
    bits = (np.repeat(codes, widths) >> distance) & 1
    packed = np.packbits(bits.astype(np.uint8)).tolist()
    # The SDK pads by a whole byte where nothing needs padding.
    return packed if ends[-1] % 8 else [*packed, 0]


def _tokens(
    data: bytes, count: int, sizes: Sequence[int], word_bits: int
) -> tuple[list[int], list[int]]:
    """Values and how often each stands, up to `count`; a literal is a run of one."""
    values: list[int] = []
    lengths: list[int] = []
    position, done, end = _HEADER_BITS, 0, len(data) * 8
    word_mask = (1 << word_bits) - 1
    powers = 1 << np.arange(word_bits)[::-1]
    while done < count:
        byte, bit = divmod(position, 8)
        # 48 bits hold any token of a run: 7 + 3 + 16 + 8.
        window = int.from_bytes(data[byte : byte + 6].ljust(6, b"\0")) << bit
        head = window >> 45
        size = sizes[head & 3]
        length = ((window >> (45 - size)) & ((1 << size) - 1)) + 1
        position += 3 + size
        if head & 4:
            values.append((window >> (45 - size - word_bits)) & word_mask)
            lengths.append(length)
            position += word_bits
        else:
            stop = position + length * word_bits
            if stop > end:
                break
            chunk = np.frombuffer(data, np.uint8)[position // 8 : -(-stop // 8)]
            bits = np.unpackbits(chunk)[position % 8 :][: length * word_bits]
            values.extend((bits.reshape(length, word_bits) @ powers).tolist())
            lengths.extend([1] * length)
            position = stop
        if position > end:
            break
        done += length
    if done < count:
        raise RleError("a brush result is cut off")
    return values, lengths
