"""All pairs of 64-bit hashes within a Hamming radius, exactly, without comparing all pairs.

A hash is four chunks of 16 bits. If every chunk c differed in more than t(c) bits, the hashes would
differ in Σ(t(c) + 1) bits or more. So with Σ(t(c) + 1) = r + 1, pairs within r agree up to t(c)
bits in some chunk, and nothing is missed: the pigeonhole principle with a threshold for every chunk
(Qin et al. 2018). Hashes are sorted by a chunk, and each is compared with those in the buckets that
t(c) flips lead to: at radius 10, 428 of 65,536 buckets, all four chunks together.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int32]

_CHUNKS, _CHUNK_BITS = 4, 16
_BUCKETS = 1 << _CHUNK_BITS
# Long enough to keep a thread busy, short enough that the threads end together.
_STRIPE = 1 << 15


def near_pairs(
    left: Hashes,
    right: Hashes | None = None,
    *,
    radius: int,
    threads: int = 2,
    block_pairs: int = 1 << 20,
) -> Iterator[Pairs]:
    """Find all pairs of hashes that differ in at most `radius` bits.

    Memory is that of the hashes, of a sorted copy and of a block of pairs for every thread, however
    many pairs there are. Time grows with the number of pairs: repeated hashes had better be
    collapsed.

    Args:
        left: uint64 (N,), N < 2**31.
        right: uint64 (M,), M < 2**31; None for pairs within `left`.
        radius: 0 to 64. Beyond about 16, comparing all pairs is quicker.
        threads: that search at the same time.
        block_pairs: about how many pairs come at once; more than M always have room.

    Yields:
        int32 (K, 2), K > 0: index into `left` and index into `right`; every pair once, always in
        the same order. Within `left`, the first index is below the second.
    """
    others = left if right is None else right
    if not (len(left) and len(others)):
        return
    thresholds = _thresholds(radius)
    room = max(block_pairs, len(others))
    with ThreadPoolExecutor(threads) as pool:
        for chunk, flips in enumerate(thresholds):
            if flips < 0:
                continue
            sorted_right = _sorted(others, chunk)
            sorted_left = sorted_right if right is None else _sorted(left, chunk)
            buckets = np.arange(_BUCKETS + 1, dtype=np.uint64)
            scan = _Scan(
                sorted_left,
                sorted_right,
                np.searchsorted(_chunk(sorted_right.hashes, chunk), buckets),
                _masks(flips),
                np.array(thresholds),
                chunk,
                radius,
                right is None,
                room,
            )
            yield from _scan_in_threads(pool, scan, threads)


@dataclass(frozen=True)
class _Sorted:
    """Hashes in the order of one of their chunks, and where each was before."""

    hashes: Hashes
    index: NDArray[np.int32]


@dataclass(frozen=True)
class _Scan:
    """One chunk's turn: everything the kernel needs but the part of `left` to scan."""

    left: _Sorted
    right: _Sorted
    starts: NDArray[np.int64]
    """(65,537,): where each bucket begins in `right`, and the end of the last."""
    masks: NDArray[np.int64]
    """Flips that lead from a chunk to all that are near enough."""
    thresholds: NDArray[np.int64]
    chunk: int
    radius: int
    within: bool
    room: int

    def __call__(self, begin: int, end: int) -> tuple[Pairs, int]:
        """Compare left[begin:end]; return the pairs, and where to go on if they became too many."""
        found = np.empty((self.room, 2), np.int32)
        count, stopped = _kernel()(
            self.left.hashes, self.left.index, self.right.hashes, self.right.index,
            self.starts, self.masks, self.thresholds, self.chunk, self.radius, self.within,
            begin, end, found,
        )  # fmt: skip
        return found[:count].copy(), stopped


def _scan_in_threads(pool: ThreadPoolExecutor, scan: _Scan, threads: int) -> Iterator[Pairs]:
    """Scan all of `left` in stripes, in order, with at most one block a thread waiting."""
    stripes = iter(range(0, len(scan.left.hashes), _STRIPE))
    running: deque[tuple[Future[tuple[Pairs, int]], int]] = deque()

    def submit(begin: int, end: int) -> tuple[Future[tuple[Pairs, int]], int]:
        return pool.submit(scan, begin, end), end

    while True:
        while len(running) < threads and (begin := next(stripes, None)) is not None:
            running.append(submit(begin, min(begin + _STRIPE, len(scan.left.hashes))))
        if not running:
            return
        future, end = running.popleft()
        pairs, stopped = future.result()
        if stopped < end:
            running.appendleft(submit(stopped, end))
        if len(pairs):
            yield pairs


def _thresholds(radius: int) -> list[int]:
    """Flips allowed in each chunk, Σ(flips + 1) = radius + 1; −1 where a chunk is not needed."""
    low, more = divmod(radius + 1 - _CHUNKS, _CHUNKS)
    return [min(low + (chunk < more), _CHUNK_BITS) for chunk in range(_CHUNKS)]


def _masks(flips: int) -> NDArray[np.int64]:
    """All 16-bit numbers with at most `flips` bits set, nearest first."""
    return np.array(
        [
            sum(1 << bit for bit in bits)
            for count in range(flips + 1)
            for bits in combinations(range(_CHUNK_BITS), count)
        ],
        np.int64,
    )


def _chunk(hashes: Hashes, chunk: int) -> Hashes:
    return (hashes >> np.uint64(chunk * _CHUNK_BITS)) & np.uint64(_BUCKETS - 1)


def _sorted(hashes: Hashes, chunk: int) -> _Sorted:
    # Of 16 bits: numpy sorts those by counting, ten times as fast.
    order = np.argsort(_chunk(hashes, chunk).astype(np.uint16), kind="stable")
    return _Sorted(hashes[order], order.astype(np.int32))


@cache
def _kernel() -> Callable[..., Any]:
    # Numba takes a second to import; compiled code is kept in its cache between runs.
    from numba import njit

    compiled: Callable[..., Any]
    try:
        compiled = njit(nogil=True, cache=True)(_compare)
    except RuntimeError:  # no folder that the cache could be written to
        compiled = njit(nogil=True)(_compare)
    return compiled


def _compare(
    left: Hashes,
    left_index: NDArray[np.int32],
    right: Hashes,
    right_index: NDArray[np.int32],
    starts: NDArray[np.int64],
    masks: NDArray[np.int64],
    thresholds: NDArray[np.int64],
    chunk: int,
    radius: int,
    within: bool,
    begin: int,
    end: int,
    found: Pairs,
) -> tuple[int, int]:
    """Write the pairs of left[begin:end] to `found`; return their number and where it stopped.

    It stops where the next hash could have more pairs than there is room. Compiled by Numba.
    """
    count = 0
    shift = np.uint64(chunk * 16)
    for i in range(begin, end):
        if count + len(right) > len(found):
            return count, i
        own = left[i]
        value = np.int64((own >> shift) & np.uint64(0xFFFF))
        for mask in masks:
            bucket = value ^ mask
            if within and bucket < value:
                continue
            first = i + 1 if within and mask == 0 else starts[bucket]
            for j in range(first, starts[bucket + 1]):
                differing = own ^ right[j]
                # Population count the way LLVM recognises it, and turns it into one instruction.
                bits = differing - ((differing >> np.uint64(1)) & np.uint64(0x5555555555555555))
                bits = (bits & np.uint64(0x3333333333333333)) + (
                    (bits >> np.uint64(2)) & np.uint64(0x3333333333333333)
                )
                bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                distance = np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))
                if distance > radius:
                    continue
                # An earlier chunk may have found the pair already.
                known = False
                for earlier in range(chunk):
                    part = (differing >> np.uint64(16 * earlier)) & np.uint64(0xFFFF)
                    near = 0
                    while part:
                        part &= part - np.uint64(1)
                        near += 1
                    known = known or near <= thresholds[earlier]
                if not known:
                    a, b = left_index[i], right_index[j]
                    found[count, 0] = min(a, b) if within else a
                    found[count, 1] = max(a, b) if within else b
                    count += 1
    return count, end
