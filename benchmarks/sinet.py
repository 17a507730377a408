"""How fast SINet trains on one core, and whether the loader keeps up.

    python benchmarks/sinet.py [--data FOLDER] [--batch 16] [--side 224] [--seconds 10]

Three rates, in images a second of one core's time (so that other work on the machine counts less):

- plain: the loop anyone writes first: eager, contiguous, float32, batches from the loader;
- ours: the same work as `sinet.training` does it, compiled, loader included;
- loader: augmentation alone; it should be at least twice the training rate.

Without `--data`, portraits are made up. Compiling takes a minute or two before the first figure.
"""

import sys
from pathlib import Path

# A script's folder comes first in the import path, where this file would hide the package `sinet`.
sys.path = [entry for entry in sys.path if entry != str(Path(__file__).resolve().parent)]

import argparse  # noqa: E402
import itertools  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from sinet.data import (  # noqa: E402
    Augmentation,
    AugmentedSamples,
    Batch,
    Batches,
    PixelCache,
    find_samples,
)
from sinet.losses import LossWeights, targets_of, total_loss  # noqa: E402
from sinet.networks import SINet  # noqa: E402
from sinet.normalisation import InputSpec  # noqa: E402

LOSSES = LossWeights(coarse=0.4)
SAMPLES = 64


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with images and masks")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=224, help="pixels, a multiple of 32")
    parser.add_argument("--seconds", type=float, default=10, help="CPU time of each figure")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as made_up:
        folder = options.data or _made_up(Path(made_up))
        cache = PixelCache(find_samples(folder)[:SAMPLES], 400)
    samples = AugmentedSamples(cache, Augmentation(background_probability=0.2), seed=0)
    batches = Batches(samples, options.batch, seed=0)

    def endless() -> Iterator[Batch]:
        for epoch in itertools.count():
            yield from batches.epoch(epoch, options.side)

    loader = _rate(endless(), lambda batch: None, options.seconds)
    plain = _rate(endless(), _trainer(compiled=False), options.seconds)
    ours = _rate(endless(), _trainer(compiled=True), options.seconds)
    print(f"images/s of one core, batch {options.batch}, {options.side} × {options.side}")
    print(f"plain   {plain:8.1f}")
    print(f"ours    {ours:8.1f}   {ours / plain:.2f} × plain")
    print(f"loader  {loader:8.1f}   {loader / ours:.1f} × ours")


def _trainer(*, compiled: bool) -> Callable[[Batch], None]:
    """Return a function that learns from a batch."""
    torch.manual_seed(0)
    network = SINet().train()
    spec = InputSpec()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=compiled)

    def loss_of(images: torch.Tensor, targets: tuple) -> torch.Tensor:
        return total_loss(network.training_logits(spec.normalise(images)), targets, LOSSES)

    loss_function = torch.compile(loss_of, dynamic=False) if compiled else loss_of

    def learn(batch: Batch) -> None:
        loss = loss_function(batch.images, targets_of(batch.labels, network.strides))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return learn


def _rate(batches: Iterator[Batch], work: Callable[[Batch], None], seconds: float) -> float:
    """Return images a second of CPU time, after two batches of warming up."""
    for batch in itertools.islice(batches, 2):
        work(batch)
    images, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        batch = next(batches)
        work(batch)
        images += len(batch.names)
    return images / (time.process_time() - began)


def _made_up(folder: Path) -> Path:
    """Write portraits of 600 × 800 pixels: smooth noise with an ellipse before it."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for number in range(SAMPLES):
        coarse = rng.integers(0, 256, (25, 19, 3), np.uint8)
        mask = np.zeros((800, 600), np.uint8)
        cv2.ellipse(mask, (300, 500), (180, 330), 0, 0, 360, 255, -1)
        image = cv2.resize(coarse, (600, 800), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "images" / f"{number:03}.jpg"), image)
        cv2.imwrite(str(folder / "masks" / f"{number:03}.png"), mask)
    return folder


if __name__ == "__main__":
    main()
