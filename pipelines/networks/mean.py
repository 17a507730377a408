"""Several networks as one: the mean of what they say."""

from collections.abc import Sequence

import numpy as np

from pipelines.networks.base import Image, Probability, Teacher
from sinet.predict import PersonModel, predict_all


class MeanTeacher:
    """The mean of several networks' probabilities.

    Networks that were trained on other data and by other people err in other places, so their mean
    is nearer to the truth than each of them, and where they are apart a mask is doubtful.
    """

    def __init__(self, members: Sequence[Teacher]) -> None:
        """Take the networks; in this order their opinions are told."""
        self._members = members
        names = [member.name for member in members]
        self.name = f"mean of {', '.join(names[:-1])} and {names[-1]}"
        self.opinions: list[tuple[Probability, ...]] = []
        """What each network said when they were asked last, image by image."""

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        """See `Teacher.person_probability`."""
        said = [member.person_probability(batch) for member in self._members]
        self.opinions = list(zip(*said, strict=True))
        return _means(said)


class MeanModel:
    """The same as `sinet` wants its models: for `evaluate` and `predict`."""

    def __init__(self, members: Sequence[PersonModel]) -> None:
        """Take the models."""
        self.members = members

    @property
    def parameters(self) -> int:
        """See `PersonModel`; of all of them."""
        return sum(member.parameters for member in self.members)

    def person_at_input(self, image: Image) -> Probability:
        """See `PersonModel`; at the image's own size, where networks of any input size meet."""
        return self.people_at_input([image])[0]

    def people_at_input(self, images: Sequence[Image]) -> list[Probability]:
        """See `PersonModel`; each at its image's own size."""
        return _means([predict_all(member, images) for member in self.members])


def _means(said: Sequence[Sequence[Probability]]) -> list[Probability]:
    """Of what each network said, image by image."""
    return [np.mean(each, axis=0, dtype=np.float32) for each in zip(*said, strict=True)]
