"""What a run's samples are samples of: person and background, or more classes."""

from collections.abc import Sequence

from sinet.data.listing import Sample
from sinet.data.scenes import same_classes
from sinet.errors import ConfigError
from sinet.pictures.class_masks import ClassList
from sinet.training.config import TrainingConfig

_OF_A_PERSON = ("distillation", "edge")


def classes_to_learn(config: TrainingConfig, samples: Sequence[Sample]) -> ClassList | None:
    """Return the classes of samples; None: person and background.

    Raises:
        DataError: they have different ones.
        ConfigError: the configuration wants a loss that only knows a person.
    """
    classes = same_classes(samples) if samples else None
    odd = [name for name in _OF_A_PERSON if getattr(config.losses, name)]
    if classes is not None and odd:
        raise ConfigError(
            f"the loss `{odd[0]}` knows only a person, not {len(classes.names)} classes: set it 0."
        )
    return classes
