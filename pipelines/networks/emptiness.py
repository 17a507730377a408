"""Masks that are all empty: no item failed, yet the network is hardly used as it is meant to be."""

import threading
from collections.abc import Sequence

from pipelines.networks.base import Image, Probability
from sinet.network_ref import NetworkKind, NetworkRef
from sinet.predict import PersonModel


def emptiness(
    networks: Sequence[NetworkRef], masks: int, empty: int, seen: str = "empty"
) -> str | None:
    """One line for the end of a run whose masks are all empty, with the likely cause; else None.

    Args:
        networks: that made them; of several, the mean.
        masks: how many it made.
        empty: those without a person.
        seen: what those are, for people.
    """
    if masks == 0 or empty < masks:
        return None
    what = "the only mask" if masks == 1 else f"all {masks:,} masks"
    exported = [each for each in networks if each.kind is NetworkKind.ONNX]
    if exported:
        cause = (
            "it is probably fed otherwise than it was trained, by normalisation (mean, std) or "
            "channel order (channel_order), or another channel is the person (person_index); say "
            "it under [teacher.onnx] in dataengine.toml or in the file's metadata"
        )
    else:
        cause = "it may not have learnt enough, or the pictures are unlike those it knows"
    labels = ", ".join(each.label for each in networks)
    return f"{what} of {labels} {'is' if masks == 1 else 'are'} {seen}: {cause}"


class Watched:
    """A model that counts its answers, and those that show nobody; threads may share it."""

    def __init__(self, model: PersonModel, network: NetworkRef) -> None:
        """Take a model and the name that it was loaded by."""
        self._model, self._network = model, network
        self._lock = threading.Lock()
        self._answers = self._empty = 0

    @property
    def parameters(self) -> int:
        """See `PersonModel`."""
        return self._model.parameters

    @property
    def warning(self) -> str | None:
        """What is to be said at the end of a run, if anything: see `emptiness`."""
        return emptiness(self._network.each, self._answers, self._empty)

    def person_at_input(self, image: Image) -> Probability:
        """See `PersonModel`."""
        return self.people_at_input([image])[0]

    def people_at_input(self, images: Sequence[Image]) -> list[Probability]:
        """See `PersonModel`."""
        people = self._model.people_at_input(images)
        empty = sum(not (person > 0.5).any() for person in people)
        with self._lock:
            self._answers += len(people)
            self._empty += empty
        return people
