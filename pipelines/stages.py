"""What each stage does to a batch: plain values in, plain values out.

No stage knows the database or who calls it. Where one item of a batch fails, its place holds the
`ItemError` and the others go on.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from db import Outcome, Verdict
from pipelines.decode import decode, encode_jpeg
from pipelines.detect import FaceDetector
from pipelines.errors import ItemError
from pipelines.geometry import CropBox, Face, portrait_box
from pipelines.masks import difference
from pipelines.near_duplicates.descriptor import descriptor
from pipelines.perceptual import perceptual_hashes, reduced
from pipelines.quality.signals import Evidence, second_looks
from pipelines.quality.signals import reduced as reduced_evidence
from pipelines.quality.views import Views, probability_views
from pipelines.scores import DISAGREEMENT, MaskScores, mask_scores
from pipelines.settings import DetectorSettings, PortraitSettings, Settings
from pipelines.subject import Mask, Probability, main_subject
from pipelines.teachers import Teacher
from pipelines.verdict import judge

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class FileContent:
    """What reading a file gave: the identity of its image."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class PortraitCrop:
    """One portrait cut out of its image.

    Attributes:
        face: in pixels of the upright image.
        crop_box: likewise, right and bottom exclusive.
        jpeg: the crop, without any metadata of the source.
    """

    face: Face
    crop_box: CropBox
    jpeg: bytes


@dataclass(frozen=True)
class DetectedImage:
    """An image after detection.

    Attributes:
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        format: Pillow's name of the file format.
        phash: perceptual hash, signed 64-bit.
        phash_mirror: the same of the mirrored image.
        descriptor: what near-duplicates are told by.
        faces: every face seen, largest first.
        portraits: those that became portraits.
        outcome: whether there are any.
        reasons: why there are none: `no_face`, `face_too_small`, `low_face_confidence`.
    """

    width: int
    height: int
    format: str
    phash: int
    phash_mirror: int
    descriptor: bytes
    faces: list[Face]
    portraits: list[PortraitCrop]
    outcome: Outcome
    reasons: list[str]


@dataclass(frozen=True)
class PortraitInput:
    """What is needed to label a portrait.

    Attributes:
        jpeg: the stored crop. Teachers see what trainings will see, so that a mask is the same
            whether it was made in the run that cropped the portrait or in a later one.
        face: in pixels of the crop.
        others: the image's other faces, in pixels of the crop.
    """

    jpeg: bytes
    face: Face
    others: list[Face]


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


def read_file(data: bytes) -> FileContent:
    """Identify a file's content."""
    return FileContent(hashlib.sha256(data).hexdigest(), len(data))


@dataclass(frozen=True)
class Look:
    """What networks say of one crop.

    Attributes:
        probability: of a person, float32 (H, W) in [0, 1], by the network that makes the mask.
        views: the same network's answers about views of the crop; None: it was not asked.
        second: another network's, of the same shape and range; None: nobody was asked.
    """

    probability: Probability
    views: Views | None = None
    second: Probability | None = None


def detect_portraits(
    files: Sequence[bytes], detector: FaceDetector, settings: Settings
) -> list[DetectedImage | ItemError]:
    """Decode images, find their faces and cut out the portraits."""
    decoded = [_attempt_decode(data, settings.decode.max_pixels) for data in files]
    images = [item[0] for item in decoded if not isinstance(item, ItemError)]
    found = iter(detector.detect(images))
    return [
        item if isinstance(item, ItemError) else _crop(*item, next(found), settings)
        for item in decoded
    ]


def label_portraits(
    inputs: Sequence[PortraitInput],
    teacher: Teacher,
    settings: Settings,
    second: Teacher | None = None,
) -> list[JudgedMask | ItemError]:
    """Ask the teacher, keep the main subject, score and judge.

    Args:
        inputs: the portraits.
        teacher: proposes the masks.
        settings: thresholds, and whether the teacher is asked about views, too.
        second: another network, whose masks are not kept: how far they are from the teacher's
            becomes the score `disagreement`, see `difference`, and `student_…`.
    """
    crops = [_attempt_decode(item.jpeg, settings.decode.max_pixels) for item in inputs]
    images = [crop[0] for crop in crops if not isinstance(crop, ItemError)]
    said = looks(images, teacher, second, views=settings.teacher.views)
    return [
        crop
        if isinstance(crop, ItemError)
        else judge_probability(item, crop[0], next(said), settings)
        for item, crop in zip(inputs, crops, strict=True)
    ]


def import_masks(
    mask_file: bytes,
    image_size: tuple[int, int],
    portraits: Sequence[tuple[PortraitInput, CropBox]],
    settings: Settings,
) -> list[JudgedMask]:
    """Cut a person's mask of a whole image down to its portraits.

    Args:
        mask_file: an image file; brighter than 127 is portrait. In a mask of nothing but 0 and 1,
            1 is.
        image_size: width and height of the upright image.
        portraits: each with its crop box.
        settings: thresholds of the verdict.

    Raises:
        ItemError: the mask cannot be decoded, has another size than the image, or has grey levels
            of which none is portrait.
    """
    grey = decode(mask_file, max_pixels=settings.decode.max_pixels).rgb.max(axis=2)
    height, width = grey.shape
    if (width, height) != image_size:
        raise ItemError(
            "mask_size_mismatch",
            f"the mask has {width}×{height} pixels, its upright image "
            f"{image_size[0]}×{image_size[1]}; make both the same size",
        )
    whole = _portrait_pixels(grey)
    judged = []
    for item, (x0, y0, x1, y1) in portraits:
        judged.append(judge_drawn(item, np.ascontiguousarray(whole[y0:y1, x0:x1]), settings))
    return judged


def judge_drawn(item: PortraitInput, mask: Mask, settings: Settings) -> JudgedMask:
    """Score and judge a portrait's mask that a person drew.

    Args:
        item: the portrait.
        mask: (H, W) bool, of the crop's size.
        settings: thresholds of the verdict.
    """
    rgb = decode(item.jpeg, max_pixels=settings.decode.max_pixels).rgb
    return _judge(mask, mask_scores(mask, rgb, item.face, item.others), None, settings)


def _portrait_pixels(grey: NDArray[np.uint8]) -> Mask:
    """Read an (H, W) mask as people store them: 0 and 255, or 0 and 1."""
    brightest = int(grey.max())
    if brightest > 127:
        return grey > 127
    if brightest > 1:
        # Probably the classes of a dataset; all background would be an empty mask in silence.
        raise ItemError(
            "mask_not_binary",
            f"the mask's brightest pixel is {brightest}; make portrait 255 (or 1) and the rest 0",
        )
    return np.asarray(grey == 1, np.bool_)


def _attempt_decode(data: bytes, max_pixels: int) -> tuple[Rgb, str] | ItemError:
    try:
        image = decode(data, max_pixels=max_pixels)
    except ItemError as error:
        return error
    return image.rgb, image.format


def _crop(rgb: Rgb, file_format: str, faces: list[Face], settings: Settings) -> DetectedImage:
    height, width = rgb.shape[:2]
    kept, reasons = choose_faces(faces, settings.detector)
    small = reduced(rgb)
    phash, phash_mirror = perceptual_hashes(small)
    return DetectedImage(
        width=width,
        height=height,
        format=file_format,
        phash=phash,
        phash_mirror=phash_mirror,
        descriptor=descriptor(small),
        faces=faces,
        portraits=[_portrait(rgb, face, settings.portrait) for face in kept],
        outcome=Outcome.PORTRAITS if kept else Outcome.NO_FACE,
        reasons=reasons,
    )


def choose_faces(faces: Sequence[Face], limits: DetectorSettings) -> tuple[list[Face], list[str]]:
    """Faces that become portraits, or the reason why none does.

    Args:
        faces: all that were seen, largest first.
        limits: size, confidence and number.

    Returns:
        The faces, and a list of at most one reason: `no_face` (none was seen),
        `low_face_confidence` (none was sure enough), `face_too_small` (none of the sure ones was
        large enough).
    """
    sure = [face for face in faces if face.confidence >= limits.min_confidence]
    kept = [face for face in sure if face.height >= limits.min_face_px]
    if kept:
        return kept[: limits.max_faces], []
    if sure:
        return [], ["face_too_small"]
    return [], ["low_face_confidence" if faces else "no_face"]


def _portrait(rgb: Rgb, face: Face, settings: PortraitSettings) -> PortraitCrop:
    height, width = rgb.shape[:2]
    box = portrait_box(face, width, height, settings)
    x0, y0, x1, y1 = box
    crop = np.ascontiguousarray(rgb[y0:y1, x0:x1])
    return PortraitCrop(face, box, encode_jpeg(crop, settings.jpeg_quality))


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
    judged = _judge(mask, scores, encode_probability(said.probability), settings)
    if said.views is None and said.second is None:
        return judged
    evidence = Evidence(
        mask, rgb, item.face, item.others, said.probability, said.views, said.second
    )
    more = second_looks(reduced_evidence(evidence))
    if said.second is not None:
        other = main_subject(said.second, rgb, item.face, item.others, settings.subject)
        more[DISAGREEMENT] = difference(mask, other)
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
        shown = probability_views(teacher, images)
        return iter(
            Look(each.plain, each, other) for each, other in zip(shown, others, strict=True)
        )
    plain = teacher.person_probability(images)
    return iter(Look(each, None, other) for each, other in zip(plain, others, strict=True))


def _judge(
    mask: Mask, scores: MaskScores, probability_png: bytes | None, settings: Settings
) -> JudgedMask:
    verdict, reasons = judge(scores, settings.verdict)
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
