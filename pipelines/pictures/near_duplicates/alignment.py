"""Pairs of small pictures laid over each other, in compiled loops; imported where they are needed.

A pair takes some 10 µs, or 30 µs if it has to be refined, which numpy's many small arrays made
several times that.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.pictures.near_duplicates.compiling import compiled

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_SIDE = 32
_STEPS = 4
# A step larger than this would leave the slope it was computed on; in shares of the side.
_LARGEST_STEP = 0.03
_OUTSIDE = 0.04
# Likeness before refinement: copies reach 0.68 at least, and 0.97 will not become less.
_HOPELESS, _CERTAIN = np.float32(0.6), np.float32(0.97)
# Root mean square of the gradients, in grey levels a pixel, of a picture with nothing to see on it.
_STRUCTURELESS = 0.75
_SAME_GREY = 1.0
_UNKNOWNS = 6


@compiled
def alikeness(
    hashes: NDArray[np.uint64],
    windows: NDArray[np.uint64],
    thumbs: NDArray[np.uint8],
    shares: Floats,
    blur: Floats,
    pairs: NDArray[np.int64],
    found: Floats,
) -> None:
    """How alike pairs of images with small pictures are.

    Args:
        hashes: uint64 (N, 2), of `verify.Features`.
        windows: uint64 (N, W), likewise.
        thumbs: uint8 (N, 32, 32), likewise.
        shares: float32 (W, 4), where the windows lie.
        blur: float32 (7,), the kernel that takes away what copies of other sizes do not share.
        pairs: int64 (P, 2).
        found: float32 (P,), written to.
    """
    source = np.empty((_SIDE, _SIDE), np.float32)
    target = np.empty((_SIDE, _SIDE), np.float32)
    seen = np.empty((_SIDE, _SIDE), np.float32)
    between = np.empty((_SIDE, _SIDE), np.float32)
    tall = np.empty((_SIDE + 6, _SIDE), np.float32)
    wide = np.empty(_SIDE + 6, np.float32)
    window = np.empty(4, np.float64)
    normal = np.empty((_UNKNOWNS, _UNKNOWNS), np.float64)
    step = np.empty(_UNKNOWNS, np.float64)
    for index in range(len(pairs)):
        whole, part = pairs[index, 0], pairs[index, 1]
        swapped, number, mirrored = _nearest(hashes, windows, whole, part)
        if swapped:
            whole, part = part, whole
        _blurred(thumbs[whole], blur, tall, wide, source, False)
        _blurred(thumbs[part], blur, tall, wide, target, mirrored)
        if min(_roughness(source), _roughness(target)) < _STRUCTURELESS:
            same = np.abs(source - target).mean() <= _SAME_GREY
            found[index] = np.float32(1) if same else np.float32(0)
            continue
        window[:] = shares[number]
        _stretched(source, window, between, seen)
        likeness = _correlation(seen, target)
        if _HOPELESS < likeness < _CERTAIN:
            for _ in range(_STEPS):
                _equations(seen, target, window, normal, step)
                _solve(normal, step)
                for edge in range(4):
                    low, high = (-_OUTSIDE, 0.4) if edge % 2 == 0 else (0.6, 1 + _OUTSIDE)
                    moved = window[edge] + min(max(step[edge], -_LARGEST_STEP), _LARGEST_STEP)
                    window[edge] = min(max(moved, low), high)
                _stretched(source, window, between, seen)
            likeness = max(likeness, _correlation(seen, target))
        found[index] = likeness


@compiled
def _nearest(
    hashes: NDArray[np.uint64], windows: NDArray[np.uint64], first: int, second: int
) -> tuple[bool, int, bool]:
    """Which image is a window of which: whether the first is, of which window, and if mirrored."""
    best, swapped, number, mirrored = 65, False, 0, False
    for turn in range(2):
        whole, part = (second, first) if turn else (first, second)
        for window in range(windows.shape[1]):
            for mirror in range(2):
                bits = windows[whole, window] ^ hashes[part, mirror]
                count = 0
                while bits:
                    bits &= bits - np.uint64(1)
                    count += 1
                if count < best:
                    best, swapped, number, mirrored = count, turn == 1, window, mirror == 1
    return swapped, number, mirrored


@compiled
def _blurred(
    thumb: NDArray[np.uint8],
    kernel: Floats,
    tall: Floats,
    wide: Floats,
    result: Floats,
    mirrored: bool,
) -> None:
    """Without detail as fine as a pixel; beyond the border its last pixel goes on.

    Args:
        thumb: uint8 (32, 32).
        kernel: float32 (7,), symmetrical.
        tall: float32 (38, 32), to work with.
        wide: float32 (38,), likewise.
        result: float32 (32, 32), written to.
        mirrored: write it with left and right swapped.
    """
    for y in range(_SIDE + 6):
        row, line = thumb[min(max(y - 3, 0), _SIDE - 1)], tall[y]
        for x in range(_SIDE):
            line[x] = row[x]
    far, further, near, own = kernel[0], kernel[1], kernel[2], kernel[3]
    for y in range(_SIDE):
        a, b, c, d = tall[y], tall[y + 1], tall[y + 2], tall[y + 3]
        e, f, g = tall[y + 4], tall[y + 5], tall[y + 6]
        for x in range(_SIDE):
            both = near * (c[x] + e[x]) + further * (b[x] + f[x]) + far * (a[x] + g[x])
            wide[x + 3] = own * d[x] + both
        for x in range(3):
            wide[x] = wide[3]
            wide[_SIDE + 3 + x] = wide[_SIDE + 2]
        line = result[y]
        for x in range(_SIDE):
            both = near * (wide[x + 2] + wide[x + 4]) + further * (wide[x + 1] + wide[x + 5])
            line[x] = own * wide[x + 3] + both + far * (wide[x] + wide[x + 6])
        if mirrored:
            for x in range(_SIDE // 2):
                line[x], line[_SIDE - 1 - x] = line[_SIDE - 1 - x], line[x]


@compiled
def _stretched(picture: Floats, window: Doubles, between: Floats, result: Floats) -> None:
    """The window of a picture at the size of the picture, bilinearly."""
    for y in range(_SIDE):
        at, share = _place(window[0], window[1], y)
        for x in range(_SIDE):
            below = picture[at + 1, x]
            between[y, x] = picture[at, x] + share * (below - picture[at, x])
    for x in range(_SIDE):
        at, share = _place(window[2], window[3], x)
        for y in range(_SIDE):
            result[y, x] = between[y, at] + share * (between[y, at + 1] - between[y, at])


@compiled
def _place(low: float, high: float, pixel: int) -> tuple[int, np.float32]:
    """Where a pixel of a window lies on the line: after which pixel, and how far."""
    at = (low + (high - low) * ((pixel + 0.5) / _SIDE)) * _SIDE - 0.5
    at = min(max(at, 0.0), _SIDE - 1.0)
    before = min(int(at), _SIDE - 2)
    return before, np.float32(at - before)


@compiled
def _roughness(picture: Floats) -> float:
    """Root mean square of the gradients, without the border."""
    total = np.float32(0)
    for y in range(1, _SIDE - 1):
        for x in range(1, _SIDE - 1):
            down = (picture[y + 1, x] - picture[y - 1, x]) / 2
            across = (picture[y, x + 1] - picture[y, x - 1]) / 2
            total += down * down + across * across
    return float(np.sqrt(total / (2 * (_SIDE - 2) ** 2)))


@compiled
def _correlation(one: Floats, other: Floats) -> np.float32:
    """Cosine of the angle between the gradients of two pictures; 0 where one has none."""
    both = own = theirs = np.float32(0)
    for y in range(1, _SIDE - 1):
        for x in range(1, _SIDE - 1):
            a, b = one[y + 1, x] - one[y - 1, x], other[y + 1, x] - other[y - 1, x]
            c, d = one[y, x + 1] - one[y, x - 1], other[y, x + 1] - other[y, x - 1]
            both += a * b + c * d
            own += a * a + c * c
            theirs += b * b + d * d
    return np.float32(both / max(np.sqrt(own * theirs), np.float32(1e-6)))


@compiled
def _equations(
    seen: Floats, target: Floats, window: Doubles, normal: Doubles, right: Doubles
) -> None:
    """Normal equations of Gauss-Newton for the four edges of the window, contrast and brightness.

    What an edge does to a pixel is the slope there times how near the edge is, which is the same
    for a row, or for a column; so sums are taken by row first. The outermost pixels are left out:
    they are half outside where a window reaches the border.
    """
    steep = np.float32(_SIDE / (window[1] - window[0]) / 2)
    steeply = np.float32(_SIDE / (window[3] - window[2]) / 2)
    normal[:] = 0
    right[:] = 0
    for y in range(1, _SIDE - 1):
        uu = uv = uva = vv = vva = vvaa = us = u1 = vs = vsa = np.float32(0)
        v1 = va = ss = s1 = ur = vr = vra = sr = r1 = np.float32(0)
        for x in range(1, _SIDE - 1):
            u = (seen[y + 1, x] - seen[y - 1, x]) * steep
            v = (seen[y, x + 1] - seen[y, x - 1]) * steeply
            s = seen[y, x]
            r = target[y, x] - s
            a = np.float32((x + 0.5) / _SIDE)
            w = v * a
            uu += u * u
            uv += u * v
            uva += u * w
            vv += v * v
            vva += v * w
            vvaa += w * w
            us += u * s
            u1 += u
            vs += v * s
            vsa += w * s
            v1 += v
            va += w
            ss += s * s
            s1 += s
            ur += u * r
            vr += v * r
            vra += w * r
            sr += s * r
            r1 += r
        d = (y + 0.5) / _SIDE
        e = 1 - d
        normal[0, 0] += e * e * uu
        normal[0, 1] += e * d * uu
        normal[1, 1] += d * d * uu
        normal[0, 2] += e * (uv - uva)
        normal[0, 3] += e * uva
        normal[1, 2] += d * (uv - uva)
        normal[1, 3] += d * uva
        normal[2, 2] += vv - 2 * vva + vvaa
        normal[2, 3] += vva - vvaa
        normal[3, 3] += vvaa
        normal[0, 4] += e * us
        normal[1, 4] += d * us
        normal[2, 4] += vs - vsa
        normal[3, 4] += vsa
        normal[0, 5] += e * u1
        normal[1, 5] += d * u1
        normal[2, 5] += v1 - va
        normal[3, 5] += va
        normal[4, 4] += ss
        normal[4, 5] += s1
        normal[5, 5] += _SIDE - 2
        right[0] += e * ur
        right[1] += d * ur
        right[2] += vr - vra
        right[3] += vra
        right[4] += sr
        right[5] += r1
    # A picture that is the same along one direction leaves an edge undetermined: keep it then.
    for row in range(_UNKNOWNS):
        normal[row, row] = normal[row, row] * 1.0001 + 0.01


@compiled
def _solve(normal: Doubles, right: Doubles) -> None:
    """Solve positive definite equations in place; the upper half says all."""
    for row in range(_UNKNOWNS):
        for below in range(row + 1, _UNKNOWNS):
            factor = normal[row, below] / normal[row, row]
            for column in range(below, _UNKNOWNS):
                normal[below, column] -= factor * normal[row, column]
            right[below] -= factor * right[row]
    for row in range(_UNKNOWNS - 1, -1, -1):
        for column in range(row + 1, _UNKNOWNS):
            right[row] -= normal[row, column] * right[column]
        right[row] /= normal[row, row]
