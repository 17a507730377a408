"""The tables: every belief about a picture is a row that says who produced it and from what.

Enums are stored as plain strings under named CHECK constraints. Times are UTC, timezone-aware in
Python on every database. Boxes are in pixels of the EXIF-upright image.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from db.tables import Column, Rows, column
from db.times import UtcDateTime, utc_now


class MaskSource(StrEnum):
    """Where a mask came from."""

    TEACHER = "teacher"  # predicted by a pretrained network such as DeepLabv3
    STUDENT = "student"  # predicted by a network of an earlier round
    IMPORT = "import"  # a person's mask that came with the image
    HUMAN = "human"  # drawn or corrected by a person during review


class Verdict(StrEnum):
    """What the automatic checks think of a mask; a person's decision is kept elsewhere."""

    CANDIDATE = "candidate"  # nothing speaks against it
    REVIEW = "review"  # doubtful: a person has to look
    REJECTED = "rejected"  # not worth a person's time


class Purpose(StrEnum):
    """Why people are asked about a mask; they are not told."""

    REVIEW = "review"  # to decide about it
    AUDIT = "audit"  # to measure how good a group of masks is
    REPEAT = "repeat"  # accepted before: to see whether it would be again
    HONEYPOT = "honeypot"  # to see whether a known answer is found


class RequestState(StrEnum):
    """Where a review request stands."""

    OPEN = "open"  # in this ledger; the server may or may not have its task yet
    SENT = "sent"  # its task is on the server and has no decision
    ANSWERED = "answered"  # somebody decided
    SUPERSEDED = "superseded"  # the portrait has a newer mask: nobody needs to look any more


class Decision(StrEnum):
    """What was decided about a mask."""

    ACCEPT = "accept"  # good as it was shown
    REJECT = "reject"  # not to be used
    FIX = "fix"  # replaced by the mask the reviewer drew
    CERTIFIED = "certified"  # accepted by a statistical certificate, not by looking at it


class Outcome(StrEnum):
    """What detection found in an image."""

    PORTRAITS = "portraits"  # at least one face was cropped to a portrait
    NO_FACE = "no_face"  # the detector worked and no face was worth a portrait


class Split(StrEnum):
    """What a portrait is used for; decided once for a group of near-duplicates."""

    TRAIN = "train"  # to learn from
    VAL = "val"  # scored while learning
    TEST = "test"  # scored when all is decided; what is here stays here


class Stage(StrEnum):
    """A kind of work; the comment names the table its `item_id` points to, as `ITEM_TABLES` does.

    A database may hold jobs of stages that a newer version knows: nobody here claims them.
    """

    READ = "read"  # source: hash one file
    DETECT = "detect"  # image: decode, find faces and crop portraits
    IMPORT = "import"  # image: give the mask that came with it to its portraits
    LABEL = "label"  # portrait: predict, score and judge a mask
    RELABEL = "relabel"  # mask: let a student propose its successor
    SIGNALS = "signals"  # mask: compute what the combined score learns from
    TRAITS = "traits"  # portrait: compute what slices are cut by
    COMPARE = "compare"  # no table: the number of a pair of blocks, as `near_pairs` makes it
    SOFT_MASK = "soft_mask"  # no table: the number of a training picture, in the queue of a run


class JobState(StrEnum):
    """Where a job stands; only `db.queue` changes it."""

    TODO = "todo"  # waiting to be claimed
    DOING = "doing"  # held by an owner until its lease ends
    SUCCEEDED = "succeeded"  # its result is committed
    FAILED = "failed"  # could not be done: `reason` and `error` say why


class Face(TypedDict):
    """One face as the detector saw it."""

    box: list[float]  # x0, y0, x1, y1
    landmarks: list[list[float]]  # (x, y) of eyes, nose and mouth corners
    confidence: float  # in [0, 1]
    rotation: NotRequired[int]  # as of a portrait; 0 in rows of before it was looked for


_STAGES: dict[str, Stage] = {stage.value: stage for stage in Stage}


class StageName(TypeDecorator[str]):
    """A stage by its name; those that this version does not know are read as plain strings."""

    impl = String(16)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Python to database: drivers do not agree on what an enum's text is."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Database to Python."""
        return None if value is None else _STAGES.get(value, value)


def strings(enum: type[StrEnum], name: str) -> Enum:
    """A string column that holds one of the enum's values, by a CHECK called ck_TABLE_NAME."""
    return Enum(
        enum,
        name=name,
        length=16,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )


# SQLite counts up only a primary key that is declared exactly INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
# SQLite's INTEGER holds 64 bits, PostgreSQL's 32.
Seed = Integer().with_variant(BigInteger(), "postgresql")
# Without `none_as_null` a missing value would be the JSON text "null", which IS NOT NULL.
json_column = JSON(none_as_null=True)
# Jobs, releases and people's notes name rows by id: an id must not come back after `forget`.
NEVER_REUSE_IDS = {"sqlite_autoincrement": True}


class Base(Rows):
    """Metadata of all tables, with predictable constraint names for migrations."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    column_types = {  # noqa: RUF012
        datetime: UtcDateTime(),
        float: Double(),
        dict[str, float]: json_column,
        list[str]: json_column,
        list[int]: json_column,
        list[float]: json_column,
        list[list[float]]: json_column,
        list[Face]: json_column,
        list[dict[str, Any]]: json_column,
    }


class SettingsUsed(Base):
    """Settings that crops and masks were made with; the file that held them may change."""

    __tablename__ = "settings_used"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    sha256: Column[str] = column(String(64), unique=True)
    """Of `settings` as JSON with sorted keys."""
    settings: Column[dict[str, Any]] = column(json_column)
    """Section → key → value, of those sections that decide crop and mask."""
    first_used_at: Column[datetime] = column(default=utc_now)


class Source(Base):
    """One file that was offered; several may have the same content."""

    __tablename__ = "source"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    uri: Column[str] = column(Text, unique=True)
    """Percent-encoded, without any credential: of a file, or of what lies elsewhere
    (``s3://bucket/key``); a member of an archive is ``file:///x.tar#member``."""
    size_bytes: Column[int | None] = column(BigInteger)
    mtime_ns: Column[int | None] = column(BigInteger)
    version: Column[str | None] = column(Text)
    """ETag, or what stands for one, of what lies elsewhere; of a member its archive's."""
    beside: Column[list[str] | None]
    """URIs of objects beside it that may say where it came from; null: none, or it is a file."""
    image_id: Column[int | None] = column(ForeignKey("image.id"), index=True)
    """Its content; null until it has been hashed."""
    import_mask_uri: Column[str | None] = column(Text, index=True)
    """URI of a person's mask that came with this file, or that should have: see the problem."""
    import_mask_problem: Column[str | None] = column(Text)
    """Why no mask is certainly this file's; null: one is, or none was looked for."""
    added_at: Column[datetime] = column(default=utc_now)


class ArchiveRow(Base):
    """An archive that lies elsewhere, all of whose members are sources."""

    __tablename__ = "archive"

    uri: Column[str] = column(Text, primary_key=True)
    version: Column[str] = column(Text)
    """As of its sources: another one, and it is gone through anew."""
    members: Column[int]
    """Number of its sources."""


class Image(Base):
    """One distinct content, whatever the number of files that hold it."""

    __tablename__ = "image"
    __table_args__: Any = NEVER_REUSE_IDS

    id: Column[int] = column(Id, primary_key=True)
    sha256: Column[str] = column(String(64), unique=True)
    """Of the file's bytes, in lower-case hexadecimal."""
    size_bytes: Column[int] = column(BigInteger)
    width: Column[int | None]
    """Of the EXIF-upright image, like `height`; null until it has been decoded."""
    height: Column[int | None]
    format: Column[str | None] = column(String)
    phash: Column[int | None] = column(BigInteger)
    """Perceptual hash: 64 bits read as a signed integer."""
    phash_mirror: Column[int | None] = column(BigInteger)
    """The same of the mirrored image."""
    descriptor: Column[bytes | None] = column(LargeBinary)
    """What near-duplicates are told by: `pipelines.pictures.near_duplicates.descriptor`."""
    group_id: Column[int | None] = column(ForeignKey("image.id"), index=True)
    """First image of its group of near-duplicates, maybe itself; null until it was looked for."""
    split: Column[Split | None] = column(strings(Split, "split"))
    """Null until it is decided; then for ever."""
    faces: Column[list[Face] | None]
    """Every face the detector saw, also those not cropped; null until detection."""
    outcome: Column[Outcome | None] = column(strings(Outcome, "outcome"))
    """Null while detection is pending or has failed."""
    reasons: Column[list[str]] = column(default=list)
    """Machine-readable codes that explain the outcome."""
    detector: Column[str | None] = column(String)
    """Name and weights of what found the faces."""
    added_at: Column[datetime] = column(default=utc_now)


class Portrait(Base):
    """One face of an image, cropped to a portrait."""

    __tablename__ = "portrait"
    __table_args__: Any = (
        UniqueConstraint("image_id", "ordinal"),
        Index(None, "blob"),
        NEVER_REUSE_IDS,
    )

    id: Column[int] = column(Id, primary_key=True)
    image_id: Column[int] = column(ForeignKey("image.id"))
    ordinal: Column[int]
    """0, 1, …: which of its image's portraits."""
    face_box: Column[list[float]]
    """x0, y0, x1, y1 in the image."""
    landmarks: Column[list[list[float]]]
    """(x, y) of eyes, nose and mouth corners in the image."""
    face_confidence: Column[float]
    """The detector's, in [0, 1]."""
    crop_box: Column[list[int]]
    """x0, y0, x1, y1 in the image; right and bottom are exclusive."""
    rotation: Column[int] = column(default=0, server_default="0")
    """Degrees clockwise by which that part of the image was rotated to be upright: 0, 90, …"""
    reasons: Column[list[str]] = column(default=list, server_default="[]")
    """Machine-readable codes: why a person has to look, whatever its masks are."""
    width: Column[int]
    """Of the crop in pixels, upright, like `height`."""
    height: Column[int]
    blob: Column[str] = column(String)
    """Store key of the crop as JPEG."""
    detector: Column[str] = column(String)
    settings_id: Column[int | None] = column(ForeignKey("settings_used.id"))
    """What it was cropped with; null: before that was recorded."""
    created_at: Column[datetime] = column(default=utc_now)


class Mask(Base):
    """One revision of a portrait's mask; never overwritten."""

    __tablename__ = "mask"
    __table_args__: Any = (
        # Also the index for looking up a portrait's masks.
        UniqueConstraint("portrait_id", "revision"),
        Index(None, "verdict", "id"),
        Index(None, "blob"),
        NEVER_REUSE_IDS,
    )

    id: Column[int] = column(Id, primary_key=True)
    portrait_id: Column[int] = column(ForeignKey("portrait.id"))
    revision: Column[int]
    source: Column[MaskSource] = column(strings(MaskSource, "source"))
    producer: Column[str] = column(String)
    """Name and SHA-256 of the weights that made it, or who drew it."""
    blob: Column[str] = column(String)
    """Store key of the mask as PNG."""
    probability_blob: Column[str | None] = column(String)
    """Store key of the person probability the mask was made from."""
    verdict: Column[Verdict] = column(strings(Verdict, "verdict"))
    reasons: Column[list[str]] = column(default=list)
    """Machine-readable codes that explain the verdict."""
    scores: Column[dict[str, float]] = column(default=dict)
    settings_id: Column[int | None] = column(ForeignKey("settings_used.id"))
    """What it was made and judged with; null: before that was recorded."""
    created_at: Column[datetime] = column(default=utc_now)


class JobRow(Base):
    """A stage's work on one item; written by `db.queue` alone, which hands out `Job`."""

    __tablename__ = "job"
    __table_args__: Any = (
        UniqueConstraint("stage", "item_id"),
        Index(None, "stage", "state", "id").ddl_if("sqlite"),
        # What changes its state would leave a dead entry in an index of states.
        *(
            Index(f"ix_job_{state}", *columns, postgresql_where=text(f"state = '{state}'")).ddl_if(
                "postgresql"
            )
            for state, columns in (
                (JobState.TODO, ("stage", "id")),
                (JobState.DOING, ("owner",)),
                (JobState.FAILED, ("stage",)),
            )
        ),
    )

    id: Column[int] = column(Id, primary_key=True)
    stage: Column[Stage] = column(StageName())
    item_id: Column[int] = column(BigInteger)
    """Id in the stage's table, without a foreign key: see `Stage`."""
    state: Column[JobState] = column(strings(JobState, "state"), default=JobState.TODO)
    attempts: Column[int] = column(default=0)
    """How often it was claimed."""
    crashes: Column[int] = column(default=0)
    """How often a worker process died while holding it; above 0 it is quarantined."""
    losses: Column[int] = column(default=0, server_default="0")
    """How often whoever held it was found dead or silent later on."""
    owner: Column[str | None] = column(String)
    """Who holds it; null unless it is being done."""
    lease_until: Column[float | None]
    """Unix time in seconds after which others may take it back."""
    reason: Column[str | None] = column(String)
    """Machine-readable code of the failure."""
    error: Column[str | None] = column(Text)
    """The failure in words."""
    finished_at: Column[datetime | None]
    argument: Column[str | None] = column(Text)
    """What else the work depends on, such as the network; null for most stages."""


ITEM_TABLES: dict[Stage, type[Source | Image | Portrait | Mask]] = {
    Stage.READ: Source,
    Stage.DETECT: Image,
    Stage.IMPORT: Image,
    Stage.LABEL: Portrait,
    Stage.RELABEL: Mask,
    Stage.SIGNALS: Mask,
    Stage.TRAITS: Portrait,
}
"""Whose rows a stage's jobs are about."""
