"""Start or continue a training run: python wip/train.py CONFIG OUT --data EG1800 [--soft MASKS] [--initial FILE] [--resume]."""

import argparse
from pathlib import Path

import cv2

from sinet.data import find_samples, hold_out
from sinet.training import TrainingConfig, train

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--soft", type=Path, help="folder of a teacher's soft masks")
    parser.add_argument("--initial", type=Path, help="checkpoint to start from")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(0)
    config = TrainingConfig.model_validate_json(options.config.read_text())
    samples, held_out = hold_out(find_samples(options.data, "train"), 0.1)
    train(
        config,
        samples,
        options.out,
        held_out=held_out,
        soft_masks=options.soft,
        initial=options.initial,
        resume=options.resume,
        progress=lambda record, total: print(total, record, flush=True),
    )
