"""From what networks say of a crop, or a person drew, to a mask that is scored and judged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from db import Verdict
from pipelines.masks.agreement import difference
from pipelines.masks.scores import DISAGREEMENT, MaskScores, mask_scores
from pipelines.masks.second_looks import OPINION
from pipelines.masks.signals import Evidence, second_looks
from pipelines.masks.signals import reduced as reduced_evidence
from pipelines.masks.subject import Mask, Probability, main_subject
from pipelines.masks.verdict import Reason, judge
from pipelines.networks import Teacher
from pipelines.networks.mean import MeanTeacher
from pipelines.networks.views import Views, probability_views
from pipelines.pictures.decode import decode
from pipelines.pictures.geometry import Face
from pipelines.workspace.settings import Settings

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class PortraitInput:
    """What is needed to label a portrait.

    Attributes:
        jpeg: the stored crop. Teachers see what trainings will see, so that a mask is the same
            whether it was made in the run that cropped the portrait or in a later one.
        face: in pixels of the crop.
        others: the image's other faces, in pixels of the crop.
        reasons: why a person has to look, whatever the mask is.
    """

    jpeg: bytes
    face: Face
    others: list[Face]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class JudgedMask:
    """A mask ready to be stored.

    Attributes:
        png: 1-bit PNG, 255 = portrait.
        probability_png: 8-bit PNG, person probability × 255; None for a mask without one.
        scores: by name.
        verdict: may it go on?
        reasons: why not.
    """

    png: bytes
    probability_png: bytes | None
    scores: dict[str, float]
    verdict: Verdict
    reasons: list[str]


@dataclass(frozen=True)
class Look:
    """What networks say of one crop.

    Attributes:
        probability: of a person, float32 (H, W) in [0, 1], by the network that makes the mask.
        views: the same network's answers about views of the crop; None: it was not asked.
        second: another network's, of the same shape and range; None: nobody was asked.
        opinions: of the networks whose mean `probability` is, likewise; none: it is one network's.
    """

    probability: Probability
    views: Views | None = None
    second: Probability | None = None
    opinions: Sequence[Probability] = ()


def judge_drawn(
    item: PortraitInput, mask: Mask, settings: Settings, *, is_open: bool = False
) -> JudgedMask:
    """Score and judge a portrait's mask that a person drew.

    Args:
        item: the portrait.
        mask: (H, W) bool, of the crop's size.
        settings: thresholds of the verdict.
        is_open: whoever drew it left more than rims open.
    """
    if is_open:
        item = replace(item, reasons=(*item.reasons, Reason.LEFT_OPEN))
    rgb = decode(item.jpeg, max_pixels=settings.decode.max_pixels).rgb
    return _judge(item, mask, mask_scores(mask, rgb, item.face, item.others), None, settings)


def judge_probability(item: PortraitInput, rgb: Rgb, said: Look, settings: Settings) -> JudgedMask:
    """Keep the main subject of what a network said; score and judge it.

    Args:
        item: the portrait.
        rgb: its decoded crop, uint8 (H, W, 3).
        said: by the network, and by others beside it.
        settings: thresholds.
    """
    mask = main_subject(said.probability, rgb, item.face, item.others, settings.subject)
    scores = mask_scores(mask, rgb, item.face, item.others, said.probability)
    judged = _judge(item, mask, scores, encode_probability(said.probability), settings)
    if said.views is None and said.second is None and not said.opinions:
        return judged
    evidence = Evidence(
        mask, rgb, item.face, item.others, said.probability, said.views, said.second
    )
    more = second_looks(reduced_evidence(evidence))

    def apart(probability: Probability) -> float:
        other = main_subject(probability, rgb, item.face, item.others, settings.subject)
        return difference(mask, other)

    if said.second is not None:
        more[DISAGREEMENT] = apart(said.second)
    for number, opinion in enumerate(said.opinions, 1):
        more[f"{OPINION}{number}"] = apart(opinion)
    return replace(judged, scores={**judged.scores, **more})


def looks(
    images: Sequence[Rgb], teacher: Teacher, second: Teacher | None = None, *, views: bool
) -> Iterator[Look]:
    """What networks say of crops, one by one.

    Args:
        images: the crops.
        teacher: makes the masks.
        second: another network; None: nobody is asked.
        views: ask the teacher about the mirror image and two scales, too.
    """
    others = second.person_probability(images) if second else [None] * len(images)
    if views:
        shown: Sequence[Views | None] = (
            seen := probability_views(teacher.person_probability, images)
        )
        plain = [each.plain for each in seen]
    else:
        shown, plain = [None] * len(images), teacher.person_probability(images)
    # The crops as they are come first among the views.
    opinions = teacher.opinions if isinstance(teacher, MeanTeacher) else [()] * len(images)
    return map(Look, plain, shown, others, opinions)


def _judge(
    item: PortraitInput,
    mask: Mask,
    scores: MaskScores,
    probability_png: bytes | None,
    settings: Settings,
) -> JudgedMask:
    verdict, reasons = judge(scores, settings.verdict, item.reasons)
    return JudgedMask(
        png=encode_mask(mask),
        probability_png=probability_png,
        scores=scores.as_dict(),
        verdict=verdict,
        reasons=[str(reason) for reason in reasons],
    )


def encode_mask(mask: Mask) -> bytes:
    """A mask as 1-bit PNG that every reader shows as 0 and 255.

    Args:
        mask: (H, W) bool.
    """
    options = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 6]
    return cv2.imencode(".png", mask.view(np.uint8) * np.uint8(255), options)[1].tobytes()


def encode_probability(probability: NDArray[np.float32]) -> bytes:
    """A probability map as 8-bit PNG: round(p × 255).

    Args:
        probability: (H, W) float32 in [0, 1].
    """
    grey = cv2.convertScaleAbs(probability, alpha=255)
    # Run-length matching alone: as small as zlib's level 3 on these smooth maps, and quicker.
    options = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return cv2.imencode(".png", grey, options)[1].tobytes()
