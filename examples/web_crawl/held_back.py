"""What recipes are chosen on: native IoU on pictures that are held back from every training.

    python -m examples.web_crawl.held_back --shared ../shared --collected collected NETWORK …

- `hand`: the tenth of EG1800's `train.txt` that `train` holds back, with its hand masks;
- `certified`: portraits of the crawl's split `val`, with the engine's own masks;
- `wider`: the same people, cut nearly twice as wide (`more`);
- `doubtful`: portraits that no certificate accepts and people found good (`review`).

`--learnt` adds a part of what students do learn from, each fifth hand mask and each eighth portrait
that is certified, and prints how much further the first network is ahead of each other one there
than on what is held back: what having learnt from a photo is worth, as far as the other network
knows no such difference.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.networks import load_person_model, parse_network
from pipelines.workspace.defaults import HELD_OUT
from sinet.data import Sample, find_samples, hold_out
from sinet.data.reading import read_sample
from sinet.metrics.counts import Counts
from sinet.predict import predict

FOLDERS = {"certified": "held_back", "wider": "wide_held_back", "doubtful": "reviewed_held_back"}
EVERY_HAND, EVERY_PORTRAIT = 5, 8
RESAMPLES = 4000
Scores = dict[str, NDArray[np.float64]]
"""Native IoU of each image of each set."""


def sets(shared: Path, collected: Path, learnt: bool = False) -> dict[str, list[Sample]]:
    """The samples of each set, by its name; `learnt`: and some that students learn from."""
    learns, hand = hold_out(find_samples(shared / "data/eg1800", "train"), HELD_OUT)
    found = {"hand": hand}
    for name, folder in FOLDERS.items():
        found[name] = find_samples(collected / folder, "train")
    if learnt:
        accepted, _ = hold_out(find_samples(collected / "reviewed", "train"), HELD_OUT)
        names = {sample.name for sample in accepted}
        certified = find_samples(collected / "trusted", "train")
        found["hand, learnt"] = learns[::EVERY_HAND]
        found["certified, learnt"] = [each for each in certified if each.name in names][
            ::EVERY_PORTRAIT
        ]
    return found


def native_ious(network: str, samples: Sequence[Sample]) -> NDArray[np.float64]:
    """(images,) native IoU of a network."""
    model = load_person_model(parse_network(network), device="cpu")
    found = []
    for picture in map(read_sample, samples):
        person = predict(model, picture.image)
        found.append(Counts.of(person > 0.5, picture.mask.astype(bool)).iou)
    return np.array(found)


def further_ahead(first: Scores, other: Scores, name: str) -> str:
    """How much further one is ahead on what is learnt from than on what is held back."""
    learnt, held = (first[each] - other[each] for each in (f"{name}, learnt", name))
    rng = np.random.default_rng(0)
    drawn = [
        rng.choice(learnt, len(learnt)).mean() - rng.choice(held, len(held)).mean()
        for _ in range(RESAMPLES)
    ]
    low, high = 100 * np.percentile(drawn, (2.5, 97.5))
    return f"{name} {100 * (learnt.mean() - held.mean()):+.2f} ({low:+.2f} to {high:+.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--collected", type=Path, default=Path("collected"))
    parser.add_argument("--learnt", action="store_true", help="also a part of what is learnt from")
    options = parser.parse_args(arguments)
    known = sets(options.shared.resolve(), options.collected.resolve(), options.learnt)
    print(f"| native IoU | {' | '.join(known)} |")
    print("|---|" + "---:|" * len(known))
    scores: dict[str, Scores] = {}
    for network in options.networks:
        own = scores[network] = {name: native_ious(network, known[name]) for name in known}
        cells = " | ".join(f"{100 * ious.mean():.2f}" for ious in own.values())
        print(f"| {network} | {cells} |", flush=True)
    first, *others = options.networks
    for other in others if options.learnt else ():
        kinds = (
            further_ahead(scores[first], scores[other], name) for name in ("hand", "certified")
        )
        print(f"\n{first} is further ahead of {other} where it has learnt: {', '.join(kinds)}")


if __name__ == "__main__":
    main()
