"""Training: `train` and what configures it."""

from sinet.training.config import TrainingConfig
from sinet.training.records import EpochRecord
from sinet.training.run import Progress, train

__all__ = ["EpochRecord", "Progress", "TrainingConfig", "train"]
