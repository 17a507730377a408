"""A portrait on its way into a release."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db import MaskSource, Split, Trust
from pipelines.certify.certificates import Certificate
from pipelines.origins.origin import Origin
from pipelines.workspace.store import BlobKind, blob_key, digest_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A portrait with the mask that is released, and where both came from.

    Attributes:
        name: of its files, without suffix: the same in every workspace.
        split: what it is used for.
        trust: why its mask is trusted.
        portrait_id: in the workspace; None: a negative.
        mask_id: in the workspace; likewise.
        group_id: of its near-duplicates.
        image_blob: store key of the crop, a JPEG.
        mask_blob: store key of the mask, a 1-bit PNG of 0 and 255.
        width: of both, in pixels.
        height: likewise.
        photo_sha256: of the photo it was cropped from.
        crop_box: x0, y0, x1, y1 in the upright photo; right and bottom exclusive.
        rotation: degrees clockwise by which that part was rotated to be the picture.
        face_height: in pixels.
        mask_source: who made the mask.
        mask_revision: which of the portrait's masks it is.
        producer: name and weights of the network, or who drew it.
        verdict: of the automatic checks.
        reasons: of the verdict.
        scores: of the mask.
        decided_at: when it was accepted or drawn; None for an import.
        certificate: what a mask stands on that nobody decided about; None: a person did.
        audited: people saw it in the certificate's audit.
        origin: where the photo came from, as far as anything says; None: nothing does.
        negative: nobody is in it, as a person has confirmed; its mask is empty.
    """

    name: str
    split: Split
    trust: Trust
    portrait_id: int | None
    mask_id: int | None
    group_id: int
    image_blob: str
    mask_blob: str
    width: int
    height: int
    photo_sha256: str
    crop_box: tuple[int, int, int, int]
    face_height: float
    mask_source: MaskSource
    mask_revision: int
    producer: str
    verdict: str
    reasons: tuple[str, ...]
    scores: dict[str, float]
    decided_at: datetime | None
    certificate: Certificate | None = None
    audited: bool = False
    origin: Origin | None = None
    negative: bool = False
    rotation: int = 0

    @property
    def image_file(self) -> str:
        """Path of the picture in a release of the format `folder` or `coco`."""
        return f"images/{self.name}.jpg"

    @property
    def mask_file(self) -> str:
        """Path of the mask in a release of the format `folder`."""
        return f"masks/{self.name}.png"

    @property
    def image_sha256(self) -> str:
        """Of the picture's bytes: a blob is named by its content."""
        return digest_of(self.image_blob)

    @property
    def mask_sha256(self) -> str:
        """Of the mask's bytes."""
        return digest_of(self.mask_blob)

    def manifest(self) -> dict[str, Any]:
        """Its line of manifest.jsonl: what it is, its files, and where they came from.

        Nothing in it depends on the workspace's folder or the time of the export, and it names no
        reviewer.
        """
        return {
            "id": self.name,
            "image": self.image_file,
            "mask": self.mask_file,
            "split": str(self.split),
            "width": self.width,
            "height": self.height,
            "image_sha256": self.image_sha256,
            "mask_sha256": self.mask_sha256,
            "trust": str(self.trust),
            "mask_source": str(self.mask_source),
            "producer": self.producer,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "scores": self.scores,
            "decided_at": self.decided_at.isoformat() if self.decided_at else None,
            "certificate": self.certificate and self.certificate.as_dict(),
            "audited": self.audited,
            "negative": self.negative,
            "origin": self.origin and self.origin.as_dict(),
            "photo_sha256": self.photo_sha256,
            "crop_box": list(self.crop_box),
            "rotation": self.rotation,
            "face_height": self.face_height,
            "portrait_id": self.portrait_id,
            "mask_id": self.mask_id,
            "mask_revision": self.mask_revision,
            "group_id": self.group_id,
        }

    @classmethod
    def from_manifest(cls, line: dict[str, Any]) -> "Entry":
        """Read back a line of a manifest.

        Raises:
            KeyError: it lacks something.
            ValueError: something has a wrong value.
        """
        x0, y0, x1, y1 = line["crop_box"]
        decided_at, certificate = line["decided_at"], line.get("certificate")
        origin = line.get("origin")
        return cls(
            name=line["id"],
            split=Split(line["split"]),
            trust=Trust(line["trust"]),
            portrait_id=line["portrait_id"],
            mask_id=line["mask_id"],
            group_id=line["group_id"],
            image_blob=blob_key(BlobKind.PORTRAIT, line["image_sha256"]),
            mask_blob=blob_key(BlobKind.MASK, line["mask_sha256"]),
            width=line["width"],
            height=line["height"],
            photo_sha256=line["photo_sha256"],
            crop_box=(x0, y0, x1, y1),
            face_height=line["face_height"],
            mask_source=MaskSource(line["mask_source"]),
            mask_revision=line["mask_revision"],
            producer=line["producer"],
            verdict=line["verdict"],
            reasons=tuple(line["reasons"]),
            scores=line["scores"],
            decided_at=datetime.fromisoformat(decided_at) if decided_at else None,
            certificate=Certificate(**certificate) if certificate else None,
            audited=line.get("audited", False),
            negative=line.get("negative", False),
            rotation=line.get("rotation", 0),
            origin=Origin.from_dict(origin) if origin else None,
        )
