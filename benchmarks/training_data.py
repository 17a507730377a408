"""Whether training's memory grows with the pictures, and whether its reader is quick enough.

    uv run python benchmarks/training_data.py --shared ../shared

`memory`: made-up portraits of 300 × 400 pixels in one shard, listed, the first gigabyte of them
decoded and kept, and 1,200 augmented as training does; each number in a process of its own.

`speed`: processor time an image of EG1800, read from memory, read and decoded anew, and learnt from
by SINet (batches of 24 at 224 × 224, uncompiled), in turns within one process, on one thread.
"""

import argparse
import io
import multiprocessing
import tarfile
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from sinet.data import AugmentedSamples, Batches, PixelCache, find_samples
from sinet.networks import build_network
from sinet.training import TrainingConfig, load_config
from sinet.training.learner import Learner

COUNTS = (500, 2_000, 8_000, 32_000)
SEEN = 1_200
BATCH = 24
ROUNDS = 4


def gigabytes() -> float:
    """The most memory this process has held; unlike `ru_maxrss`, none of what its parent held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


def write_shard(path: Path, count: int) -> None:
    """Portraits that are all the same picture."""
    rng = np.random.default_rng(0)
    mask = np.zeros((400, 300), np.uint8)
    cv2.ellipse(mask, (150, 250), (80, 140), 0, 0, 360, 255, -1)
    image = cv2.resize(rng.integers(0, 256, (50, 38, 3), np.uint8), (300, 400))
    files = {
        "jpg": cv2.imencode(".jpg", image)[1].tobytes(),
        "mask.png": cv2.imencode(".png", mask)[1].tobytes(),
    }
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            for suffix, content in files.items():
                info = tarfile.TarInfo(f"{number:08}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def remember(count: int) -> None:
    """Print a line of the table of memory."""
    config = TrainingConfig()
    with tempfile.TemporaryDirectory() as folder:
        write_shard(Path(folder) / "train-000000.tar", count)
        samples = find_samples(folder)
        cache = PixelCache(samples, config.cache_px)
        batches = Batches(AugmentedSamples(cache, config.augmentation, 0), BATCH, 0)
        seen = 0
        for batch in batches.epoch(0, 224):
            seen += len(batch.names)
            if seen >= SEEN:
                break
        print(f"| {count:,} | {gigabytes():.2f} |", flush=True)


def compare(shared: Path) -> None:
    """Print the table of speed."""
    config = load_config("portrait", {"compile": False, "workers": 0, "threads": 1})
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    samples = find_samples(shared / "data/eg1800", "train")[: 4 * BATCH]
    readers = {
        name: Batches(
            AugmentedSamples(
                PixelCache(samples, config.cache_px, None, most), config.augmentation, 0
            ),
            BATCH,
            0,
        )
        for name, most in (("kept in memory", 1 << 30), ("decoded anew", 0))
    }
    learner = Learner(build_network("sinet"), config)
    learner.network.train()
    seconds: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        for name, batches in readers.items():
            began = time.process_time()
            read = list(batches.epoch(number, 224))
            seconds.setdefault(name, []).append(time.process_time() - began)
        began = time.process_time()
        for batch in read[:2]:
            learner.step(batch, 1e-3, encoder_only=False)
        seconds.setdefault("learnt from", []).append((time.process_time() - began) * 2)
    step = min(seconds["learnt from"])
    for name, each in seconds.items():
        print(f"| {name} | {min(each) / len(samples) * 1e3:.1f} ms | {step / min(each):.1f} |")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    options = parser.parse_args()
    print("| pictures | peak, GB |\n|---|---|", flush=True)
    context = multiprocessing.get_context("spawn")
    for count in COUNTS:
        process = context.Process(target=remember, args=(count,))
        process.start()
        process.join()
    print("\n| an image is | processor time | times the step's rate |\n|---|---|---|", flush=True)
    compare(options.shared)


if __name__ == "__main__":
    main()
