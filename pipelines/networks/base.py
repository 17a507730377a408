"""What a teacher is: something that knows where there is a person in a picture."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.workspace.errors import ItemError
from sinet.errors import NetworkOutputError
from sinet.predict import PersonModel, predict

Image = NDArray[np.uint8]
Probability = NDArray[np.float32]

BAD_OUTPUT = "bad_network_output"
"""Reason of an item for which a network's answer was of no use."""


class Teacher(Protocol):
    """Proposes person probabilities. Implementations are not shared between threads."""

    name: str
    """Network and the SHA-256 of its weights, as recorded with every mask."""

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """Person probability at native resolution.

        Args:
            batch: RGB uint8 (H, W, 3) arrays of any sizes.

        Returns:
            For each image an (H, W) float32 array in [0, 1]. On a CPU the answer for one image
            does not depend on the others of the batch, to the last bit.

        Raises:
            ItemError: `bad_network_output`: for an image the answer is NaN, no probability, or
                none within the time limit.
        """
        ...


class PersonTeacher:
    """A model of `sinet`'s as a teacher: a checkpoint or an exported network."""

    def __init__(self, model: PersonModel, name: str) -> None:
        """Take a model.

        Args:
            model: that finds the person.
            name: as it is recorded.
        """
        self.model = model
        self.name = name

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """See `Teacher.person_probability`. One image a run, so that none depends on the others."""
        try:
            return [predict(self.model, image) for image in batch]
        except NetworkOutputError as error:
            raise ItemError(BAD_OUTPUT, str(error)) from error


class TeacherModel:
    """A teacher as `sinet` wants its models."""

    def __init__(self, teacher: Teacher, parameters: int) -> None:
        """Take a teacher and the number of its weights."""
        self._teacher = teacher
        self.parameters = parameters

    def person_at_input(self, image: Image) -> Probability:
        """See `PersonModel`; at the image's own size."""
        return self._teacher.person_probability([image])[0]

    def people_at_input(self, images: Sequence[Image]) -> list[Probability]:
        """See `PersonModel`; each at its image's own size."""
        return self._teacher.person_probability(images)
