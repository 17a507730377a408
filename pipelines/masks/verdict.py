"""A typed verdict for every mask: whether it may go on, should be looked at, or is out, and why."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from db import Verdict
from pipelines.workspace.settings import VerdictSettings

if TYPE_CHECKING:  # verdicts are read without computing anything
    from pipelines.masks.scores import MaskScores


class Reason(StrEnum):
    """Why a mask is not simply a candidate. Thresholds are `[verdict]` settings."""

    EMPTY_MASK = "empty_mask"
    """The mask covers next to nothing of the crop."""
    FACE_OUTSIDE_MASK = "face_outside_mask"
    """Most of the face is not in the mask: it shows somebody or something else."""
    TOO_SMALL = "too_small"
    """The crop has too few pixels to learn from."""
    BLURRY = "blurry"
    """The face has no detail: motion blur, out of focus, or enlarged from very little."""
    LOW_CONFIDENCE = "low_confidence"
    """The teacher was in doubt, over the crop or along the outline."""
    MULTI_PERSON = "multi_person"
    """Another face, or a good deal of another person, shares the crop."""
    TRUNCATED_SUBJECT = "truncated_subject"
    """The image's border cuts off the face or the top of the head."""
    HOLES = "holes"
    """Larger holes within the person had to be closed."""
    FRAGMENTS = "fragments"
    """Person regions apart from the mask: it may lack an arm, or the teacher saw ghosts."""
    LEFT_OPEN = "left_open"
    """Whoever drew it left wide areas open (void, the grey of a trimap): nobody is told there."""
    ROTATED = "rotated"
    """The face lay on its side or upside down in the photo; the portrait was set upright."""
    FRAMED = "framed"
    """A frame surrounds the face: a picture on a wall, on a page or on a screen."""
    REPEATED_FACE = "repeated_face"
    """The same face is in the photo once more: a sheet of ID pictures, a mirrored copy."""
    SPLIT_PHOTO = "split_photo"
    """A straight seam runs through the photo between faces: before and after, a collage."""


NOT_SCORED = frozenset(
    {
        Reason.LEFT_OPEN,
        Reason.ROTATED,
        Reason.FRAMED,
        Reason.REPEATED_FACE,
        Reason.SPLIT_PHOTO,
    }
)
"""What no score tells: seen when the portrait was cropped, or the mask's file read."""

_REJECTING: frozenset[str] = frozenset(
    {Reason.EMPTY_MASK, Reason.FACE_OUTSIDE_MASK, Reason.TOO_SMALL, Reason.BLURRY}
)


def judge(
    scores: "MaskScores", settings: VerdictSettings, known: Collection[str] = ()
) -> tuple[Verdict, list[Reason]]:
    """Turn scores into a verdict and all its reasons.

    Args:
        scores: of one mask; scores that are None (no probability) raise no reason.
        settings: thresholds.
        known: reasons that no score tells, of `NOT_SCORED`.

    Returns:
        `rejected` if a reason rejects, else `review` if there is any reason, else `candidate`;
        and the reasons in the order of `Reason`.
    """
    reasons = [
        reason
        for reason in Reason
        if (reason in known if reason in NOT_SCORED else _holds(reason, scores, settings))
    ]
    return verdict_of(reasons), reasons


def verdict_of(reasons: Iterable[str]) -> Verdict:
    """`rejected` if a reason rejects, else `review` if there is any reason, else `candidate`."""
    found = set(reasons)
    if found & _REJECTING:
        return Verdict.REJECTED
    return Verdict.REVIEW if found else Verdict.CANDIDATE


def _holds(reason: Reason, scores: "MaskScores", limits: VerdictSettings) -> bool:
    def above(value: float | None, limit: float) -> bool:
        return value is not None and value > limit

    def below(value: float | None, limit: float) -> bool:
        return value is not None and value < limit

    match reason:
        case Reason.EMPTY_MASK:
            return scores.area < limits.min_area
        case Reason.FACE_OUTSIDE_MASK:
            return scores.face_in_mask < limits.min_face_in_mask
        case Reason.TOO_SMALL:
            return scores.short_side < limits.min_short_side_px
        case Reason.BLURRY:
            return scores.sharpness < limits.min_sharpness
        case Reason.LOW_CONFIDENCE:
            return below(scores.confidence, limits.min_confidence) or above(
                scores.band_entropy, limits.max_band_entropy
            )
        case Reason.MULTI_PERSON:
            return scores.other_faces > 0 or above(scores.spill, limits.max_spill)
        case Reason.TRUNCATED_SUBJECT:
            return scores.face_cut > limits.max_face_cut or scores.top_contact > limits.max_top
        case Reason.HOLES:
            return above(scores.filled, limits.max_filled)
        case Reason.FRAGMENTS:
            return above(scores.fragments, limits.max_fragments)
    raise AssertionError(f"{reason} is none of a mask")
