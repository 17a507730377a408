"""A small made data set of 19 classes: stripes whose brightness is their class."""

from pathlib import Path

import numpy as np
from PIL import Image

from sinet.data.scenes import CITYSCAPES
from sinet.pictures.masks import VOC_COLOURS

NAMES = CITYSCAPES.names
SIZE = (48, 76)


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (H, W, 3) RGB and uint8 (H, W) of 19 classes, and 255 in a corner."""
    rng = np.random.default_rng(seed)
    order = np.roll(np.arange(len(NAMES), dtype=np.uint8), int(rng.integers(len(NAMES))))
    labels = np.repeat(order, SIZE[1] // len(NAMES))[None].repeat(SIZE[0], axis=0)
    image = (labels * 13)[..., None] + rng.integers(0, 6, (*SIZE, 3), dtype=np.uint8)
    labels[:6, :6] = 255
    return image, labels


def save(image: np.ndarray, labels: np.ndarray, to: tuple[Path, Path], kind: str) -> None:
    for path in to:
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(to[0])
    mask = Image.fromarray(labels)
    if kind == "palette":
        mask.putpalette([each for colour in VOC_COLOURS for each in colour.to_bytes(3, "big")])
    elif kind == "colour":
        table = np.array([list(colour.to_bytes(3, "big")) for colour in VOC_COLOURS], np.uint8)
        mask = Image.fromarray(table[labels])
    mask.save(to[1])


def make_classes(folder: Path, count: int = 10, kind: str = "palette") -> Path:
    """Scenes s00, s01, …; the last two are the split `val`, the others `train`."""
    names = [f"s{number:02}" for number in range(count)]
    for number, name in enumerate(names):
        files = (folder / f"images/{name}.png", folder / f"masks/{name}.png")
        save(*scene(number), files, kind)
    (folder / "classes.txt").write_text("# of the made stripes\n" + "\n".join(NAMES) + "\n")
    (folder / "train.txt").write_text("\n".join(names[:-2]) + "\n")
    (folder / "val.txt").write_text("\n".join(names[-2:]) + "\n")
    return folder
