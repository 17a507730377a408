"""Students that never saw the photos they judge: one a fold, trained on the other folds.

    python -m benchmarks.quality.students OUT --data ../shared/data/eg1800

A short training of SINet from random weights with the project's trainer, on the hand masks of
`train.txt` less one fold: what reviewers' fixes would give. OUT/fold-N/last.safetensors; run again,
it goes on where it was.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.quality.data import FOLDS, photos
from sinet.normalisation import InputSpec
from sinet.training import TrainingConfig, load_config, train

EPOCHS = 16
SIDE_PX, EARLY_SIDE_PX = 160, 96


def config() -> TrainingConfig:
    """The recipe `portrait`, short and small."""
    changes = {
        "input": InputSpec(height=SIDE_PX, width=SIDE_PX),
        "epochs": EPOCHS,
        "early_side_px": EARLY_SIDE_PX,
        "ema_decay": 0.99,
        "threads": 1,
        "overlays": 0,
    }
    return load_config("portrait", changes)


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/eg1800"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = photos(options.data)
    for fold in range(FOLDS):
        out = options.out / f"fold-{fold}"
        # Near-duplicates are in one fold, those of a photo in val.txt too.
        own = [each.sample for each in known if each.split == "train" and each.fold != fold]
        train(
            config(),
            own,
            out,
            resume=(out / "resume.pt").exists(),
            device="cpu",
            progress=lambda record, total, fold=fold: print(
                f"fold {fold}: {record.epoch}/{total}, loss {record.loss:.4f}, "
                f"{record.seconds:.0f} s",
                flush=True,
            ),
        )


if __name__ == "__main__":
    main()
