"""How well a forgotten photo's copies are known, and how much its tombstone tells.

    uv run python benchmarks/tombstones.py --shared ../shared

Every photo of EG1800 is forgotten; one copy of each kind comes back, each compared with all
tombstones. A digest is made cheap here, since which words are equal does not depend on its price;
that is measured by itself.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np

from pipelines.pictures.near_duplicates import tombstone as tombstones
from pipelines.pictures.near_duplicates.descriptor import descriptor
from pipelines.pictures.near_duplicates.tombstone import (
    SCRYPT,
    TOMBSTONE_BYTES,
    Tombstones,
    tombstone,
)
from tests.pipelines.pictures.near_duplicates.copies import (
    COPIES,
    Copy,
    Pixels,
    cropped,
    encoded,
    photos,
    resized,
)
from tests.pipelines.pictures.near_duplicates.test_photos import NEAR_DUPLICATES

SEED = 15


def cut_all_around(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    """Without 0 to 5 % at each edge, each drawn by itself, then resized and encoded."""
    height, width = rgb.shape[:2]
    top, bottom, left, right = rng.uniform(0, 0.05, 4)
    inner = rgb[round(top * height) : round((1 - bottom) * height)]
    inner = inner[:, round(left * width) : round((1 - right) * width)]
    return encoded(resized(np.ascontiguousarray(inner), rng), rng)


KINDS: dict[str, Copy] = {
    **{name: copy for name, (copy, _) in COPIES.items()},
    "0 to 5 % off each edge, resized, JPEG": cut_all_around,
    "cropped by 8 %": lambda rgb, rng: cropped(rgb, rng, 0.08),
    "cropped by 10 %": lambda rgb, rng: cropped(rgb, rng, 0.10),
}


def measure(shared: Path) -> None:
    """Print the table of kinds, and what a tombstone costs."""
    rng = np.random.default_rng(SEED)
    price, SCRYPT["n"] = SCRYPT["n"], 2
    names, originals, copies = [], [], []
    for name, rgb in photos(shared):
        names.append(name)
        originals.append(descriptor(rgb))
        copies.append({kind: descriptor(copy(rgb, rng)) for kind, copy in KINDS.items()})
    rows = [tombstone(each) for each in originals]
    of_name = dict(zip(names, rows, strict=True))
    known = [name for name, row in of_name.items() if row is not None]
    everything = Tombstones([row for row in rows if row is not None])
    print(f"{len(names)} photos, {len(names) - len(known)} with too little to see\n")
    print("| copy | known | taken for another photo |\n|---|---|---|")
    for kind in KINDS:
        outcome: Counter[str] = Counter()
        for name, made in zip(names, copies, strict=True):
            at = everything.like(made[kind])
            same = at is not None and (
                known[at] == name or tuple(sorted((known[at], name))) in NEAR_DUPLICATES
            )
            outcome["known" if same else "missed" if at is None else "other"] += 1
        print(f"| {kind} | {outcome['known'] / len(names):.2%} | {outcome['other']} |", flush=True)
    strangers = [
        (name, known[at])
        for name, own in zip(names, originals, strict=True)
        if (at := _of_others(name, own, known, of_name)) is not None
        and tuple(sorted((known[at], name))) not in NEAR_DUPLICATES
    ]
    pairs = len(names) * (len(known) - 1)
    print(f"\nPhotos refused for another's tombstone: {len(strangers)} in {pairs:,} pairs")
    _print_word_entropy(originals)
    SCRYPT["n"] = price
    _print_cost(originals[0])


def _of_others(
    name: str, picture: bytes, known: list[str], of_name: dict[str, bytes | None]
) -> int | None:
    others = [of_name[each] if each != name else b"" for each in known]
    return Tombstones([row or b"" for row in others]).like(picture)


def _print_word_entropy(originals: list[bytes]) -> None:
    """What the signs of a word are worth to somebody who knows how photos are on average."""
    pictures = np.stack([np.frombuffer(each, np.uint8).reshape(32, 32) for each in originals])
    up = np.stack([tombstones._spectrum(picture) > 0 for picture in pictures])
    share = (up.sum(axis=0) + 1) / (len(up) + 2)
    bits = []
    for row, signs in zip((tombstone(each) for each in originals), up, strict=True):
        if row is not None:
            waves = np.frombuffer(row, tombstones._FORM)["waves"][0]
            bits.append([-np.log2(np.where(signs[w], share[w], 1 - share[w])).sum() for w in waves])
    least = np.min(bits, axis=1)
    print(
        f"\nBits of surprise in a photo's least surprising word of 40 signs: median "
        f"{np.median(least):.1f}, 1st percentile {np.percentile(least, 1):.1f}"
    )


def _print_cost(picture: bytes) -> None:
    started = time.process_time()
    row = tombstone(picture)
    made = time.process_time() - started
    assert row is not None
    watch = Tombstones([row] * 1000)
    stranger = np.frombuffer(picture, np.uint8)[::-1].tobytes()
    watch.like(stranger)
    started = time.process_time()
    for _ in range(100):
        watch.like(stranger)
    asked = (time.process_time() - started) / 100
    print(
        f"\n{TOMBSTONE_BYTES} bytes a photo; made in {made:.2f} s of processor time; a stranger "
        f"is compared with 1,000 of them in {1000 * asked:.2f} ms"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    measure(parser.parse_args().shared)


if __name__ == "__main__":
    main()
