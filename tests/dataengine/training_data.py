"""Small data sets, configurations and checkpoints for the training commands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sinet.checkpoint import Model, save_checkpoint
from sinet.networks import build_network
from sinet.normalisation import InputSpec
from tests.sinet.conftest import write_portrait

SMALL: dict[str, Any] = {
    "encoder_epochs": 0,
    "epochs": 2,
    "encoder_batch": 4,
    "batch": 4,
    "cache_px": 64,
    "workers": 0,
    "overlays": 2,
    "input": {"height": 32, "width": 32},
}


def make_data(folder: Path, count: int = 12) -> Path:
    """Portraits p00, p01, …; the last four are the split `val`, the others `train`."""
    names = [f"p{number:02}" for number in range(count)]
    for number, name in enumerate(names):
        write_portrait(folder, name, number)
    (folder / "train.txt").write_text("\n".join(names[:-4]) + "\n")
    (folder / "val.txt").write_text("\n".join(names[-4:]) + "\n")
    return folder


def make_photos(photos: Path, masks: Path) -> None:
    """Two photos in which the fakes see a face, with masks by hand; both folders are made."""
    photos.mkdir()
    masks.mkdir()
    body = np.zeros((400, 300), np.uint8)
    body[90:, 60:240] = 255
    for seed in range(2):
        noise = np.random.default_rng(seed).integers(0, 256, (400, 300, 3), dtype=np.uint8)
        Image.fromarray(noise).save(photos / f"{seed}.png")
        Image.fromarray(body).save(masks / f"{seed}.png")


def make_config(folder: Path, **changes: Any) -> Path:
    """A configuration in JSON."""
    path = folder / "config.json"
    path.write_text(json.dumps({**SMALL, **changes}))
    return path


def make_checkpoint(path: Path, seed: int = 0, network: str = "sinet", side: int = 32) -> Path:
    """A network with random weights."""
    torch.manual_seed(seed)
    spec = InputSpec(height=side, width=side)
    save_checkpoint(path, Model(build_network(network).eval(), spec))
    return path
