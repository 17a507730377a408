"""What recipes are chosen on: native IoU on pictures that are held back from every training.

    python -m examples.web_crawl.held_back --shared ../shared --collected collected NETWORK …

- `hand`: the tenth of EG1800's `train.txt` that `train` holds back, with its hand masks;
- `certified`: portraits of the crawl's split `val`, with the engine's own masks;
- `wider`: the same people, cut nearly twice as wide (`more`);
- `doubtful`: portraits that no certificate accepts and people found good (`review`).

`--learnt` adds a part of what students do learn from, each fifth hand mask and each eighth portrait
that is certified: a network that is no better there does not lack photos of these kinds.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from pipelines.networks import load_person_model, parse_network
from pipelines.workspace.defaults import HELD_OUT
from sinet.data import Sample, find_samples, hold_out
from sinet.data.reading import read_sample
from sinet.metrics.counts import Counts
from sinet.predict import predict

FOLDERS = {"certified": "held_back", "wider": "wide_held_back", "doubtful": "reviewed_held_back"}
EVERY_HAND, EVERY_PORTRAIT = 5, 8


def sets(shared: Path, collected: Path, learnt: bool = False) -> dict[str, list[Sample]]:
    """The samples of each set, by its name; `learnt`: and some that students learn from."""
    learns, hand = hold_out(find_samples(shared / "data/eg1800", "train"), HELD_OUT)
    found = {"hand": hand}
    for name, folder in FOLDERS.items():
        found[name] = find_samples(collected / folder, "train")
    if learnt:
        found["hand, learnt"] = learns[::EVERY_HAND]
        found["certified, learnt"] = find_samples(collected / "trusted", "train")[::EVERY_PORTRAIT]
    return found


def native_iou(network: str, samples: Sequence[Sample]) -> float:
    """Mean native IoU of a network on a set."""
    model = load_person_model(parse_network(network), device="cpu")
    found = []
    for picture in map(read_sample, samples):
        person = predict(model, picture.image)
        found.append(Counts.of(person > 0.5, picture.mask.astype(bool)).iou)
    return mean(found)


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
    for network in options.networks:
        found = [native_iou(network, samples) for samples in known.values()]
        print(f"| {network} | {' | '.join(f'{100 * iou:.2f}' for iou in found)} |", flush=True)


if __name__ == "__main__":
    main()
