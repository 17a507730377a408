"""Students that never saw the photos they judge: one a fold, trained on the other folds.

    python -m benchmarks.quality.students CACHE/students --data ../shared/data/eg1800
    python -m benchmarks.quality.students CACHE/students-longer --init CACHE/students --epochs 14

A short training of SINet from random weights with the project's trainer, on the hand masks of
`train.txt` less one fold: what reviewers' fixes would give. OUT/fold-N/last.safetensors; run again,
it goes on where it was.
"""

import argparse
from functools import partial
from pathlib import Path

import torch

from benchmarks.quality.data import FOLDS, photos
from sinet.normalisation import InputSpec
from sinet.training import EpochRecord, TrainingConfig, load_config, train

SIDE_PX, EARLY_SIDE_PX = 160, 96


def config(epochs: int, *, go_on: bool) -> TrainingConfig:
    """The recipe `portrait`, short and small."""
    changes = {
        "input": InputSpec(height=SIDE_PX, width=SIDE_PX),
        "epochs": epochs,
        "early_side_px": None if go_on else EARLY_SIDE_PX,
        "learning_rate": 3e-3 if go_on else None,
        "ema_decay": 0.99,
        "threads": 1,
        "overlays": 0,
    }
    return load_config("portrait", changes)


def tell(fold: int, record: EpochRecord, total: int) -> None:
    """After each epoch."""
    print(
        f"fold {fold}: {record.epoch}/{total}, loss {record.loss:.4f}, {record.seconds:.0f} s",
        flush=True,
    )


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/eg1800"))
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--init", type=Path, default=None, help="students to go on with")
    parser.add_argument("--folds", type=int, nargs="+", default=range(FOLDS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = photos(options.data)
    for fold in options.folds:
        out = options.out / f"fold-{fold}"
        # Near-duplicates are in one fold, those of a photo in val.txt too.
        own = [each.sample for each in known if each.split == "train" and each.fold != fold]
        first = options.init and options.init / f"fold-{fold}" / "last.safetensors"
        train(
            config(options.epochs, go_on=first is not None),
            own,
            out,
            init=first,
            resume=(out / "resume.pt").exists(),
            device="cpu",
            progress=partial(tell, fold),
        )


if __name__ == "__main__":
    main()
