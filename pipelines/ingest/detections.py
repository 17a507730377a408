"""What detection writes: faces, portraits, and the request for their masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from db import Image, Portrait, Stage, insert_rows, lock_rows, queue, update_rows
from pipelines.ingest.records import enqueue_imports
from pipelines.ingest.stages import DetectedImage
from pipelines.pictures.geometry import Face


@dataclass(frozen=True)
class Detection:
    """What was found in an image, and the store keys of its portraits."""

    found: DetectedImage
    blobs: Sequence[str]
    detector: str


def save_detections(
    connection: Connection, detections: Mapping[int, Detection], settings_id: int | None = None
) -> None:
    """Store images' faces and portraits, and ask for masks.

    Args:
        connection: in a transaction.
        detections: by image id.
        settings_id: of `pipelines.workspace.settings_used`.
    """
    lock_rows(connection, Image, sorted(detections))
    update_rows(connection, Image, [_image_row(*each) for each in detections.items()])
    rows = [
        _portrait_row(image_id, ordinal, each, settings_id)
        for image_id, each in detections.items()
        for ordinal in range(len(each.found.portraits))
    ]
    with_mask = enqueue_imports(connection, detections)
    made = insert_rows(connection, Portrait, rows, ("id", "image_id"))
    to_label = sorted(portrait for portrait, image in made if image not in with_mask)
    queue.enqueue(connection, Stage.LABEL, to_label)


def _image_row(image_id: int, detection: Detection) -> dict[str, object]:
    found = detection.found
    return {
        "id": image_id,
        "width": found.width,
        "height": found.height,
        "format": found.format,
        "phash": found.phash,
        "phash_mirror": found.phash_mirror,
        "descriptor": found.descriptor,
        # Looked for again: hashes of another version may have put it elsewhere.
        "group_id": None,
        "faces": [_face_json(face) for face in found.faces],
        "outcome": found.outcome,
        "reasons": found.reasons,
        "detector": detection.detector,
    }


def _portrait_row(
    image_id: int, ordinal: int, detection: Detection, settings_id: int | None
) -> dict[str, object]:
    portrait = detection.found.portraits[ordinal]
    width, height = portrait.crop.size
    face = _face_json(portrait.face)
    return {
        "image_id": image_id,
        "ordinal": ordinal,
        "face_box": face["box"],
        "landmarks": face["landmarks"],
        "face_confidence": face["confidence"],
        "crop_box": list(portrait.crop.box),
        "rotation": portrait.crop.rotation,
        "reasons": list(portrait.reasons),
        "width": width,
        "height": height,
        "blob": detection.blobs[ordinal],
        "detector": detection.detector,
        "settings_id": settings_id,
    }


def _face_json(face: Face) -> dict[str, object]:
    return {
        "box": list(face.box),
        "landmarks": [list(point) for point in face.landmarks],
        "confidence": face.confidence,
        "rotation": face.rotation,
    }
