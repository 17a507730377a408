"""Score a checkpoint beside the authors': python wip/score.py CHECKPOINT --data EG1800 [--val].

Without `--val` on the fixed tenth held back from `train.txt`. Log every reading of `val.txt` in
`docs/experiments.md`.
"""

import argparse
from pathlib import Path

import torch

from sinet import load_model
from sinet.data import find_samples, hold_out
from sinet.evaluate import evaluate
from sinet.metrics import paired_bootstrap

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--official", type=Path, help="the authors' SINet.pth")
    parser.add_argument("--val", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.val:
        samples = find_samples(options.data, "val")
    else:
        samples = hold_out(find_samples(options.data, "train"), 0.1)[1]
    ours = evaluate(load_model(options.checkpoint), samples)
    print(f"{options.checkpoint}: {ours.mean}")
    worst = sorted(ours.images, key=lambda name: ours.images[name].iou)[:10]
    print("worst:", {name: round(ours.images[name].iou, 3) for name in worst})
    if options.official:
        theirs = evaluate(load_model(options.official), samples)
        print(f"authors: {theirs.mean}")
        pairs = [(ours.images[s.name].iou, theirs.images[s.name].iou) for s in samples]
        print("ours - authors:", paired_bootstrap(*map(list, zip(*pairs, strict=True))))
