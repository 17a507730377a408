"""Several networks as one teacher: the mean of what they say."""

from collections.abc import Sequence

import numpy as np

from pipelines.networks.base import Image, Probability, Teacher


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
        return [np.mean(each, axis=0, dtype=np.float32) for each in self.opinions]
