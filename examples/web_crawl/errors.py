"""Where networks are wrong: at the outline or away from it, by leaving out or by taking in.

    python -m examples.web_crawl.errors --shared ../shared NETWORK …

Printed is a table for each set that only measures: what a network leaves out of the person and
what it takes for it, in percent of the union of both masks, so that the cells of a row and its
native IoU make 100; at the outline means within 2 % of the photo's longer side. After the first
network, how far each other one is ahead of it, and how much of that the tenth and the quarter of
the photos make up in which it is ahead most. `--looked-at N` takes it that somebody looked at the N
photos in which the last network is furthest ahead of the first, and prints how far the second is
ahead on those and on the others, with intervals: what was learnt from looking may be worth less
where nobody looked.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.web_crawl.students import SETS
from pipelines.networks import load_person_model, parse_network
from sinet.data import Sample, find_samples
from sinet.data.reading import read_sample
from sinet.metrics import paired_bootstrap
from sinet.predict import PersonModel, predict

OUTLINE = 0.02
COLUMNS = ("IoU", "left out, outline", "left out, inside", "taken in, outline", "taken in, away")
Shares = NDArray[np.float64]


def shares(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Shares:
    """(5,) of the union, in percent: what both are, and the four kinds of error."""
    wide = max(3, int(OUTLINE * max(truth.shape)) | 1)
    kernel, person = np.ones((wide, wide), np.uint8), truth.astype(np.uint8)
    outline = cv2.dilate(person, kernel) != cv2.erode(person, kernel, borderValue=1)
    left_out, taken_in = truth & ~said, said & ~truth
    parts = [
        truth & said,
        left_out & outline,
        left_out & ~outline,
        taken_in & outline,
        taken_in & ~outline,
    ]
    return 100 * np.array([part.sum() for part in parts]) / max(1, int((truth | said).sum()))


def of_set(model: PersonModel, samples: Sequence[Sample]) -> Shares:
    """(images, 5), see `shares`."""
    found = []
    for picture in map(read_sample, samples):
        said = predict(model, picture.image) > 0.5
        found.append(shares(said, picture.mask.astype(bool)))
    return np.array(found)


def ahead(first: Shares, other: Shares) -> str:
    """How far one is ahead in IoU, and what the photos make of it in which it is so most."""
    gains = np.sort(other[:, 0] - first[:, 0])[::-1]
    tenth, quarter = (gains[: len(gains) // part].sum() / len(gains) for part in (10, 4))
    return f"{gains.mean():+.2f} (a tenth of the photos {tenth:+.2f}, a quarter {quarter:+.2f})"


def apart(found: Sequence[Shares], looked_at: int) -> str:
    """How far the second is ahead of the first, where somebody looked and where nobody did."""
    first, second, last = (each[:, 0] for each in (found[0], found[1], found[-1]))
    order = np.argsort(first - last)
    parts = {"looked at": order[:looked_at], "others": order[looked_at:]}
    said = []
    for name, images in parts.items():
        gain = paired_bootstrap(second[images].tolist(), first[images].tolist())
        sure = f"{gain.difference:+.2f} ({gain.low:+.2f} to {gain.high:+.2f})"
        said.append(f"{name}, {len(images)} photos: {sure}")
    return "the second ahead of the first: " + "; ".join(said)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--limit", type=int, default=None, help="images of each set")
    parser.add_argument("--looked-at", type=int, metavar="N", help="three networks are needed")
    options = parser.parse_args(arguments)
    if options.looked_at and len(options.networks) < 3:
        parser.error("--looked-at compares three networks")
    models = [load_person_model(parse_network(name), device="cpu") for name in options.networks]
    for name, folder in SETS.items():
        samples = find_samples(options.shared.resolve() / "data" / folder, "val")[: options.limit]
        print(f"\n| {name} | {' | '.join(COLUMNS)} | ahead of the first |")
        print("|---|" + "---:|" * (len(COLUMNS) + 1))
        found: list[Shares] = []
        for network, model in zip(options.networks, models, strict=True):
            found.append(of_set(model, samples))
            cells = " | ".join(f"{share:.2f}" for share in found[-1].mean(axis=0))
            more = ahead(found[0], found[-1]) if found[1:] else ""
            print(f"| {network} | {cells} | {more} |", flush=True)
        if options.looked_at:
            print(f"\n{apart(found, options.looked_at)}")


if __name__ == "__main__":
    main()
