"""Training: `train` and what configures it."""

from sinet.training.config import OF_THE_MACHINE, TrainingConfig
from sinet.training.launching import Run, train_in_processes
from sinet.training.recipes import default_recipe, load_config, recipe_names
from sinet.training.records import EpochRecord
from sinet.training.run import Progress, train
from sinet.training.soft_masks import Teacher, write_soft_masks

__all__ = [
    "OF_THE_MACHINE",
    "EpochRecord",
    "Progress",
    "Run",
    "Teacher",
    "TrainingConfig",
    "default_recipe",
    "load_config",
    "recipe_names",
    "train",
    "train_in_processes",
    "write_soft_masks",
]
