"""What the click network learns from: pictures, hand masks, and masks that networks made."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.masks.spoiling import spoil
from pipelines.masks.subject import fill_holes, refine_edges
from pipelines.workspace.settings import Settings
from sinet.clicks.simulating import Mask
from sinet.data import Sample, hold_out
from sinet.data.reading import read_sample
from sinet.data.splits import training_samples
from sinet.models import load_person_model
from sinet.predict import PersonModel, predict

KEPT_PX = 256
"""Side of the square that everything is kept at."""

PICTURE, TRUTH, GUESS, TEACHER = slice(0, 3), 3, 4, 5
"""Channels of what is kept; the teacher's is there only where there was a teacher."""

SUBJECT = Settings().subject

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Source:
    """A data set.

    Attributes:
        folder: of it.
        teacher: of another mask for each image; None: it is `guess`'s.
        most: images that are taken, evenly from the list; None: all.
    """

    folder: Path
    teacher: PersonModel | None
    most: int | None = None


def load(source: Source, guess: PersonModel, fraction: float, kept: Path) -> Pixels:
    """Everything of a data set less the held-back tenth, from a file if it was made before.

    Returns:
        uint8 (N, KEPT_PX, KEPT_PX, 6), probabilities × 255.
    """
    samples, _ = hold_out(training_samples(source.folder), fraction)
    if source.most is not None:
        samples = samples[:: -(-len(samples) // source.most)]
    named = hashlib.sha256("\n".join(each.name for each in samples).encode()).hexdigest()[:12]
    file = kept / f"{named}.npy"
    if not file.exists():
        kept.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial.npy")
        np.save(partial, np.stack([_kept(each, source, guess) for each in samples]))
        partial.replace(file)
    return np.asarray(np.load(file, mmap_mode="r"))


def _kept(sample: Sample, source: Source, guess: PersonModel) -> Pixels:
    picture = read_sample(sample)
    guessed = predict(guess, picture.image)
    taught = guessed if source.teacher is None else predict(source.teacher, picture.image)
    layers = (
        picture.image,
        picture.mask * np.uint8(255),
        _grey(guessed),
        _grey(refine_edges(taught, picture.image, SUBJECT)),
    )
    small = [
        cv2.resize(layer, (KEPT_PX, KEPT_PX), interpolation=cv2.INTER_AREA) for layer in layers
    ]
    return np.dstack(small)


def _grey(probability: NDArray[np.float32]) -> Pixels:
    return np.asarray(cv2.convertScaleAbs(np.clip(probability, 0, 1), alpha=255), np.uint8)


def augmented(kept: Pixels, side: int, chance: np.random.Generator) -> Pixels:
    """Turn, scale, shift and mirror; other light.

    Args:
        kept: uint8 (KEPT_PX, KEPT_PX, 6).
        side: of what comes out, uint8 (side, side, 6).
        chance: draws all of it.
    """
    scale = side / KEPT_PX * chance.uniform(0.75, 1.35)
    turn = np.asarray(
        cv2.getRotationMatrix2D((KEPT_PX / 2,) * 2, chance.uniform(-15, 15), scale), np.float64
    )
    turn[:, 2] += side / 2 - KEPT_PX / 2 + chance.uniform(-0.1, 0.1, 2) * side
    warped = [
        cv2.warpAffine(
            part, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        for part in (kept[..., :3], kept[..., 3:])
    ]
    both = np.asarray(np.dstack(warped), np.uint8)
    if chance.random() < 0.5:
        both = both[:, ::-1]
    gains = chance.uniform(0.6, 1.4) * chance.uniform(0.85, 1.15, 3)
    colours = both[..., PICTURE] * gains + chance.normal(
        0, chance.uniform(0, 8), both[..., PICTURE].shape
    )
    both = both.copy()
    both[..., PICTURE] = np.clip(colours, 0, 255)
    return both


def begun(seen: Pixels, chance: np.random.Generator) -> Mask:
    """A mask to begin with: nothing, a network's, or the truth spoilt.

    Args:
        seen: uint8 (side, side, 6).
        chance: draws which.
    """
    truth = seen[..., TRUTH] > 127
    kind = chance.choice(4, p=(0.2, 0.4, 0.15, 0.25))
    if kind == 0:
        return np.zeros_like(truth)
    if kind == 3 and truth.any():
        spoilt = truth
        for _ in range(chance.integers(1, 3)):
            more = spoil(spoilt, 0.8, 0.98, chance)
            spoilt = spoilt if more is None else more.mask
        return spoilt
    mask = seen[..., TEACHER if kind == 1 else GUESS] > 127
    return fill_holes(mask)


def sources(shared: Path, collected: Sequence[Path], teacher: Path, most: int) -> list[Source]:
    """EG1800 with the teacher's masks, and of what a crawl gave at most so many images."""
    return [
        Source(shared / "data/eg1800", load_person_model(f"onnx:{teacher}")),
        *(Source(folder, None, most) for folder in collected),
    ]
