"""How fast masks become Label Studio's brush results and back, beside the SDK's own coder.

    python benchmarks/rle.py --shared ../shared [--masks 20]

Both code the same hand masks of `data/eg1800`, brought to the size of the crawl's portraits.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from label_studio_sdk.converter.brush import decode_rle, mask2rle

from pipelines.label_studio.rle import decode_mask, encode_mask
from pipelines.pictures.decode import decode
from sinet.pictures.threshold import is_person

SIZE = (640, 853)  # width and height of a typical crop of `data/crawl/flickr`
ROUNDS = 5


def milliseconds(work: Callable[[], object]) -> float:
    """Of one call."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--masks", type=int, default=20)
    options = parser.parse_args()
    times: dict[str, list[float]] = {"encode": [], "SDK encode": [], "decode": [], "SDK decode": []}
    for file in sorted((options.shared / "data/eg1800/masks").glob("*.png"))[: options.masks]:
        grey = np.ascontiguousarray(decode(file.read_bytes(), max_pixels=10**8).rgb[..., 0])
        mask = is_person(np.asarray(cv2.resize(grey, SIZE), np.uint8))
        image, rle = mask * np.uint8(255), encode_mask(mask)
        works: dict[str, Callable[[], object]] = {
            "encode": partial(encode_mask, mask),
            "SDK encode": partial(mask2rle, image),
            "decode": partial(decode_mask, rle, *mask.shape),
            "SDK decode": partial(decode_rle, rle),
        }
        for name, work in works.items():
            times[name].append(min(milliseconds(work) for _ in range(ROUNDS)))
    middle = {name: statistics.median(values) for name, values in times.items()}
    for name, value in middle.items():
        print(f"{name:12s}{value:8.2f} ms")
    for way in ("encode", "decode"):
        print(f"{way}: {middle[f'SDK {way}'] / middle[way]:.0f} times as fast as the SDK")


if __name__ == "__main__":
    main()
