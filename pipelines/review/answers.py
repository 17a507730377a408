"""From what a person submitted to a decision, or to the reason why it is none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db import Decision
from pipelines.label_studio.gateway import Annotation, Brush
from pipelines.label_studio.rle import RleError, decode_mask
from pipelines.label_studio.screen import DECISION, REASON
from sinet.pictures.threshold import is_person

_HUMAN = (Decision.ACCEPT, Decision.REJECT, Decision.FIX)


class UnusableAnswerError(Exception):
    """An answer contradicts itself: a person has to look at it again. Says why."""


@dataclass(frozen=True)
class Answer:
    """A decision about the mask that was shown.

    Attributes:
        decision: accept, reject or fix.
        reasons: codes, for reject.
        drawn: (H, W) bool, for fix.
    """

    decision: Decision
    reasons: list[str]
    drawn: NDArray[np.bool_] | None


def read_answer(annotation: Annotation, shown: NDArray[np.bool_]) -> Answer:
    """Read what a person submitted.

    Args:
        annotation: not a skipped one.
        shown: (H, W) bool, the mask that was pushed.

    Raises:
        UnusableAnswerError: there is no decision, or the mask does not go with it.
    """
    chosen = annotation.choices.get(DECISION, ())
    decisions = [decision for decision in _HUMAN if decision in chosen]
    if len(decisions) != 1 or len(chosen) != 1:
        raise UnusableAnswerError("it holds no decision")
    decision = decisions[0]
    if decision == Decision.REJECT:
        return Answer(decision, list(annotation.choices.get(REASON, ())), None)
    drawn = _union(annotation.regions, shown.shape)
    if decision == Decision.ACCEPT:
        if not annotation.regions:
            raise UnusableAnswerError("the mask was accepted, but it is not there any more")
        if not np.array_equal(drawn, shown):
            raise UnusableAnswerError("the mask was accepted and changed: is it a fix?")
        return Answer(decision, [], None)
    if not drawn.any():
        raise UnusableAnswerError("it says the mask was fixed, but there is none")
    if np.array_equal(drawn, shown):
        raise UnusableAnswerError(
            "it says the mask was fixed (an eraser needs it selected: Alt+.), but it is the one "
            "that was shown"
        )
    return Answer(decision, [], drawn)


def _union(regions: Sequence[Brush], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """All regions together: a stroke that extends a mask may be a region of its own."""
    whole = np.zeros(shape, np.bool_)
    for region in regions:
        if (region.height, region.width) != shape:
            raise UnusableAnswerError(
                f"its mask has {region.width}×{region.height} pixels, the portrait "
                f"{shape[1]}×{shape[0]}"
            )
        try:
            whole |= is_person(decode_mask(region.rle, region.height, region.width))
        except RleError as error:
            raise UnusableAnswerError(str(error)) from error
    return whole
