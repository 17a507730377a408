"""How much of photos that show nobody a network takes for a person.

    python -m examples.web_crawl.nobody --shared ../shared sinet:bundled …

The photos of the reference crawls in `nobody.txt` beside this file: pages, drawings, things,
animals, places; somebody has looked at each. Of those from `web` the half that `more` may have cut
its parts from is left out; nobody learns from `mixed`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from examples.web_crawl.more import is_measured
from pipelines.networks import load_person_model, parse_network
from sinet.pictures.decode import decode
from sinet.predict import predict

LISTED = Path(__file__).with_name("nobody.txt")


@dataclass(frozen=True)
class FalsePersons:
    """What a network sees where nobody is.

    Attributes:
        photos: that were looked at.
        pixels: mean share that it calls person, in [0, 1].
        above: photos in which that is more than one in a hundred.
    """

    photos: int
    pixels: float
    above: int


def photos(shared: Path) -> list[Path]:
    """Those to measure on."""
    listed = [shared / "data/crawl" / line for line in LISTED.read_text().splitlines()]
    return [photo for photo in listed if photo.parent.name == "mixed" or is_measured(photo)]


def measure(network: str, where: Sequence[Path]) -> FalsePersons:
    """Ask a network about photos with nobody."""
    model = load_person_model(parse_network(network))
    shares = np.array(
        [(predict(model, decode(photo.read_bytes()).rgb) >= 0.5).mean() for photo in where]
    )
    return FalsePersons(len(where), float(shares.mean()), int((shares > 0.01).sum()))


def main() -> None:
    """Print a row a network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    options = parser.parse_args()
    where = photos(options.shared)
    for network in options.networks:
        found = measure(network, where)
        print(f"{network}: {found.pixels:.1%} of pixels, {found.above} of {found.photos} photos")


if __name__ == "__main__":
    main()
