"""What each stage does to a batch: plain values in, plain values out.

No stage knows the database or who calls it. Where one item of a batch fails, its place holds the
`ItemError` and the others go on.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from db import Outcome
from pipelines.masks.judging import (
    JudgedMask,
    PortraitInput,
    Rgb,
    judge_drawn,
    judge_probability,
    looks,
)
from pipelines.masks.verdict import Reason
from pipelines.networks import Teacher
from pipelines.origins.embedded import embedded_origin
from pipelines.origins.origin import Origin, merged
from pipelines.origins.sidecars import sidecar_origin, source_origin
from pipelines.pictures.decode import decode, encode_jpeg, item_errors, mask_errors
from pipelines.pictures.detect import FaceDetector
from pipelines.pictures.geometry import Face, portrait_box
from pipelines.pictures.near_duplicates.descriptor import descriptor
from pipelines.pictures.perceptual import perceptual_hashes, reduced
from pipelines.pictures.rotation import (
    Crop,
    crop_around,
    rotated,
    rotated_face,
    rotated_size,
)
from pipelines.pictures.within import look_within
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import (
    DecodeSettings,
    DetectorSettings,
    PortraitSettings,
    Settings,
)
from pipelines.workspace.sources import Sources
from sinet.batching import map_threaded
from sinet.pictures.decode import stored_orientation
from sinet.pictures.fitting import refuse_inverted, upright
from sinet.pictures.masks import read_mask
from sinet.pictures.unknown import is_wide


@dataclass(frozen=True)
class FileContent:
    """What reading a file gave: the identity of its image, and where it says it came from."""

    sha256: str
    size_bytes: int
    origin: Origin | None = None


@dataclass(frozen=True)
class PortraitCrop:
    """One portrait cut out of its image.

    Attributes:
        face: in pixels of the upright image.
        crop: likewise.
        jpeg: the crop, without any metadata of the source.
        reasons: why a person has to look, whatever its masks are.
    """

    face: Face
    crop: Crop
    jpeg: bytes
    reasons: tuple[str, ...] = ()


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
class ImportedMasks:
    """Masks of an image's portraits that a person made.

    Attributes:
        masks: in the order of the portraits.
        how: how the file was read, in words.
    """

    masks: list[JudgedMask]
    how: str


def read_file(
    data: bytes, uri: str, sources: Sources | None = None, beside: Sequence[str] = ()
) -> FileContent:
    """Identify a file's content, and find out where it came from: see `pipelines.origins`.

    Args:
        data: of the file.
        uri: of it; what lies beside it may say more.
        sources: reads what is in its archive, or lies beside it elsewhere.
        beside: URIs of what may say more, of a file elsewhere.
    """
    told = source_origin(uri, sources, beside) if sources else sidecar_origin(uri)
    origin = merged([told, embedded_origin(data)])
    return FileContent(hashlib.sha256(data).hexdigest(), len(data), origin)


def detect_portraits(
    files: Sequence[bytes], detector: FaceDetector, settings: Settings, threads: int = 1
) -> list[DetectedImage | ItemError]:
    """Decode images, find their faces and cut out the portraits.

    Args:
        files: the images' content.
        detector: finds the faces; with more than one thread, several at once.
        settings: limits of decoding, sizes of faces and portraits.
        threads: that share the files.
    """

    def detected(some: Sequence[bytes]) -> list[DetectedImage | ItemError]:
        decoded = [_attempt_decode(data, settings.decode) for data in some]
        images = [item[0] for item in decoded if not isinstance(item, ItemError)]
        found = iter(detector.detect(images))
        return [
            item if isinstance(item, ItemError) else _crop(*item, next(found), settings)
            for item in decoded
        ]

    if threads == 1:
        return detected(files)
    return [each for (each,) in map_threaded(detected, [[data] for data in files], threads)]


def label_portraits(
    inputs: Sequence[PortraitInput],
    teacher: Teacher,
    settings: Settings,
    second: Teacher | None = None,
    threads: int = 1,
) -> list[JudgedMask | ItemError]:
    """Ask the teacher, keep the main subject, score and judge.

    Args:
        inputs: the portraits.
        teacher: proposes the masks.
        settings: thresholds, and whether the teacher is asked about views, too.
        second: another network, whose masks are not kept: how far they are from the teacher's
            becomes the score `disagreement`, see `difference`, and `student_…`.
        threads: that decode and judge; the networks are asked by this one.
    """
    crops = map_threaded(lambda item: _attempt_decode(item.jpeg, settings.decode), inputs, threads)
    images = [crop[0] for crop in crops if not isinstance(crop, ItemError)]
    said = looks(images, teacher, second, views=settings.teacher.views)
    judgements = [
        crop
        if isinstance(crop, ItemError)
        else partial(judge_probability, item, crop[0], next(said), settings)
        for item, crop in zip(inputs, crops, strict=True)
    ]
    return map_threaded(
        lambda each: each if isinstance(each, ItemError) else each(), judgements, threads
    )


def import_masks(
    mask_file: bytes,
    photo: bytes,
    image_size: tuple[int, int],
    portraits: Sequence[tuple[PortraitInput, Crop]],
    settings: Settings,
) -> ImportedMasks:
    """Cut a person's mask of a whole image down to its portraits.

    Args:
        mask_file: an image file, see `sinet.pictures.masks`.
        photo: the image's own file, for what EXIF says of it.
        image_size: width and height of the upright image.
        portraits: each with where it lies in the image.
        settings: how masks are read, and thresholds of the verdict.

    Raises:
        ItemError: the mask or the photo cannot be decoded, or the mask is not clearly one of a
            person (`mask_not_binary`), looks inverted (`mask_inverted`), has another size than the
            image (`mask_size_mismatch`) or cannot be turned to fit it (`mask_orientation`).
    """
    limits = settings.decode.max_pixels, settings.decode.max_memory_bytes
    faces = [crop.box_in_photo(item.face.box) for item, crop in portraits]
    with mask_errors():
        read = read_mask(
            mask_file, settings.masks, max_pixels=limits[0], max_memory_bytes=limits[1]
        )
    with item_errors():
        tags = (stored_orientation(photo), read.orientation)
        whole, how, unknown = upright(
            read.understood,
            tags,
            image_size[::-1],
            lambda: decode(photo, max_pixels=limits[0], max_memory_bytes=limits[1]).rgb,
            faces,
        )
        refuse_inverted(whole, faces, was_inverted=settings.masks.invert)
    judged = []
    for item, crop in portraits:
        is_open = is_wide(None if unknown is None else crop.cut(unknown), max(image_size))
        judged.append(judge_drawn(item, crop.cut(whole), settings, is_open=is_open))
    return ImportedMasks(judged, how)


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
        portraits=_portraits(rgb, kept, settings.portrait),
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


def _portraits(rgb: Rgb, faces: Sequence[Face], settings: PortraitSettings) -> list[PortraitCrop]:
    """Cut out the portraits of faces that all lie alike, and note what speaks against them."""
    if not faces:
        return []
    size, rotation = (rgb.shape[1], rgb.shape[0]), faces[0].rotation
    upright = [rotated_face(face, size, rotation) for face in faces]
    within = look_within(rotated(rgb, rotation), upright)
    portraits = []
    for number, face in enumerate(faces):
        box = portrait_box(upright[number], *rotated_size(size, rotation), settings)
        crop = crop_around(box, size, rotation)
        seen = {
            Reason.ROTATED: rotation != 0,
            Reason.FRAMED: within.framed[number],
            Reason.REPEATED_FACE: within.repeated[number],
            Reason.SPLIT_PHOTO: within.split,
        }
        reasons = tuple(str(reason) for reason, holds in seen.items() if holds)
        jpeg = encode_jpeg(crop.cut(rgb), settings.jpeg_quality)
        portraits.append(PortraitCrop(face, crop, jpeg, reasons))
    return portraits


def _attempt_decode(data: bytes, limits: DecodeSettings) -> tuple[Rgb, str] | ItemError:
    try:
        image = decode(data, max_pixels=limits.max_pixels, max_memory_bytes=limits.max_memory_bytes)
    except ItemError as error:
        return error
    return image.rgb, image.format
