"""Data sets: what they hold, how it is read, augmented and batched."""

from sinet.data.augment import Augmentation, augment
from sinet.data.batches import AugmentedSamples, Batch, Batches
from sinet.data.listing import Sample, find_samples, hold_out, unused_masks
from sinet.data.reading import Picture, PixelCache, read_image, read_mask, read_sample
from sinet.data.splits import (
    class_evaluation_samples,
    evaluation_samples,
    has_split,
    samples_to_learn,
    training_samples,
)

__all__ = [
    "Augmentation",
    "AugmentedSamples",
    "Batch",
    "Batches",
    "Picture",
    "PixelCache",
    "Sample",
    "augment",
    "class_evaluation_samples",
    "evaluation_samples",
    "find_samples",
    "has_split",
    "hold_out",
    "read_image",
    "read_mask",
    "read_sample",
    "samples_to_learn",
    "training_samples",
    "unused_masks",
]
