"""Every number a user may change, with its unit in its name and its reason beside it.

`dataengine.toml`, environment and command line are read by `settings_sources`; the pipelines
only see these frozen models.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from sinet.pictures.mask_options import MaskOptions


class _Section(BaseModel):
    """A table of `dataengine.toml`: frozen; unknown keys are errors, so that typos are seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DecodeSettings(_Section):
    """`[decode]`: which files are taken as images."""

    max_pixels: int = Field(
        default=120_000_000,
        gt=0,
        description="Images with more pixels fail with `too_many_pixels` before they are decoded.",
    )
    max_memory_bytes: int = Field(
        default=1024**3,
        gt=0,
        description="Images that take more memory to decode fail with `too_much_memory` before.",
    )
    max_bytes: int = Field(
        default=512 * 1024**2,
        gt=0,
        description="Files with more bytes fail with `too_large` before they are read.",
    )


class MaskSettings(MaskOptions):
    """`[masks]`: how masks that people made are read, where they do not explain themselves."""


class DetectorSettings(_Section):
    """`[detector]`: which faces become portraits. Sizes are pixels of the upright image."""

    name: Literal["mtcnn", "fake"] = Field(
        default="mtcnn", description="`fake` finds a face in the middle of every image (for tests)."
    )
    min_face_px: float = Field(
        default=64,
        ge=16,
        description="Lowest height of a face box; a portrait is three times as high.",
    )
    min_confidence: float = Field(
        default=0.9, ge=0, le=1, description="Lowest probability of a face (the detector's own)."
    )
    look_again: bool = Field(
        default=True,
        description="Whether photos without a sure face are searched once more in the mirror, on "
        "both sides and upside down.",
    )
    min_rotated_confidence: float = Field(
        default=0.97, ge=0, le=1, description="Lowest probability of a face that does not stand."
    )
    max_faces: int = Field(
        default=10, ge=1, description="At most this many portraits an image, largest face first."
    )
    working_side_px: int = Field(
        default=448,
        ge=128,
        description="Faces are searched on a copy of at most this side, as long as the smallest "
        "face wanted keeps `working_face_px` there.",
    )
    working_face_px: int = Field(
        default=20,
        ge=12,
        description="Height that the smallest face wanted keeps on the working copy.",
    )
    max_working_side_px: int = Field(
        default=2048,
        ge=256,
        description="No working copy is larger; in wider images the smallest face found grows.",
    )


class PortraitSettings(_Section):
    """`[portrait]`: the crop around a face (SINet paper, section 3.4), in units of the face box."""

    height_in_faces: float = Field(default=3.0, gt=1, description="Crop height / face height.")
    aspect: float = Field(default=0.75, gt=0, description="Crop width / crop height.")
    headroom_in_faces: float = Field(
        default=0.8, ge=0, description="Space above the face box / face height."
    )
    jpeg_quality: int = Field(default=95, ge=50, le=100, description="Of the stored crops.")


class OnnxSettings(_Section):
    """`[teacher.onnx]`: overrides what is read from an ONNX teacher and its metadata."""

    input_height: int | None = Field(default=None, gt=0, description="For models of free size.")
    input_width: int | None = Field(default=None, gt=0, description="For models of free size.")
    layout: Literal["nchw", "nhwc"] | None = None
    channel_order: Literal["rgb", "bgr"] | None = None
    mean: tuple[float, float, float] | None = Field(
        default=None, description="Of pixel values in [0, 255], in the model's channel order."
    )
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = Field(
        default=None, description="Of pixel values in [0, 255], in the model's channel order."
    )
    resize: Literal["bilinear", "area"] | None = Field(
        default=None, description="How images are made smaller; default: by halves, then bilinear."
    )
    output: str | None = Field(
        default=None, description="Name of the output to take; default the one that is a map."
    )
    person_index: int | None = Field(
        default=None,
        ge=0,
        description="Channel of `person`, or its number in a map of classes.",
    )
    activation: Literal["softmax", "sigmoid", "none"] | None = Field(
        default=None, description="What turns the output into probabilities; `none`: it has them."
    )


class TeacherSettings(_Section):
    """`[teacher]`: who proposes masks."""

    name: str = Field(default="auto", description="As `ingest --teacher`.")
    weights: str | None = Field(default=None, description="As `ingest --teacher-weights`.")
    second_opinion: str = Field(
        default="bundled,sinet:bundled", description="As `ingest --second-opinion`; `none`: nobody."
    )
    views: bool = Field(
        default=False,
        description="As `ingest --views`: ask about the mirror image and two scales, too.",
    )
    onnx: OnnxSettings = OnnxSettings()


class SubjectSettings(_Section):
    """`[subject]`: how the main subject is told from bystanders."""

    threshold: float = Field(
        default=0.55, gt=0, lt=1, description="Refined probability from which a pixel is subject."
    )
    bystander_confidence: float = Field(
        default=0.9, ge=0, le=1, description="Lowest probability of a face that claims its body."
    )
    bystander_height_in_faces: float = Field(
        default=0.25, ge=0, description="Lowest height of such a face / height of the own face."
    )
    refine_fit_px: int = Field(default=128, ge=32, description="Copy the edge model is fitted on.")
    refine_apply_px: int = Field(default=384, ge=32, description="Copy the edges are drawn on.")
    refine_radius: float = Field(
        default=0.06, gt=0, lt=0.5, description="Window radius / longest side."
    )
    refine_epsilon: float = Field(
        default=3e-4, gt=0, description="Variance of colour (0-1) below which a window is flat."
    )


class VerdictSettings(_Section):
    """`[verdict]`: thresholds of the reasons; what they mean is measured in docs/masks.md."""

    min_area: float = Field(default=0.02, ge=0, le=1, description="empty_mask: mask / crop area.")
    min_face_in_mask: float = Field(
        default=0.5, ge=0, le=1, description="face_outside_mask: share of the face box in the mask."
    )
    min_short_side_px: int = Field(default=112, ge=0, description="too_small: shorter crop side.")
    min_sharpness: float = Field(
        default=0.01, ge=0, description="blurry: Laplacian variance / variance of the face."
    )
    min_confidence: float = Field(
        default=0.92, ge=0, le=1, description="low_confidence: mean |2p - 1| over the crop."
    )
    max_band_entropy: float = Field(
        default=0.5, ge=0, le=1, description="low_confidence: mean entropy along the outline."
    )
    max_spill: float = Field(
        default=0.08, ge=0, description="multi_person: person probability outside / inside."
    )
    max_face_cut: float = Field(
        default=0.15, ge=0, le=1, description="truncated_subject: face outside the image."
    )
    max_top: float = Field(
        default=0.85, ge=0, le=1, description="truncated_subject: mask along the upper border."
    )
    max_filled: float = Field(default=0.03, ge=0, le=1, description="holes: closed / mask area.")
    max_fragments: float = Field(
        default=0.015, ge=0, description="fragments: person regions apart / mask area."
    )


class EngineSettings(_Section):
    """`[engine]`: how the work is done; results do not depend on it."""

    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Items a worker takes at once; default 4 on a CPU, 32 on a GPU.",
    )
    workers: int | None = Field(
        default=None, ge=0, description="Worker processes; default one a core; 0: in this process."
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    lease_seconds: float = Field(
        default=600,
        gt=1,
        description="After this time a silent worker's items go to others; on a cluster after 60 "
        "at most.",
    )
    item_seconds: float = Field(
        default=300,
        gt=0,
        description="An item that takes longer is ended with its worker and set aside as "
        "`timed_out`.",
    )


class ReviewSettings(_Section):
    """`[review]`: where people look at masks. The server's token is never a setting."""

    url: str | None = Field(
        default=None,
        description="Label Studio's address; the environment's LABEL_STUDIO_URL comes first, and "
        "its LABEL_STUDIO_API_KEY is the token.",
    )
    project: str = Field(
        default="portraits",
        min_length=3,
        max_length=50,
        description="As `review push --project`: title on the server.",
    )
    random_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of every push that is drawn at random, whatever the order, so that the "
        "quality of all masks can be estimated.",
    )
    recheck_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Share of the accepted masks that goes back into review, blind, over time.",
    )
    honeypot_share: float = Field(
        default=0.05,
        ge=0,
        le=0.5,
        description="Questions whose answer is known, as a share of all others: good masks and "
        "masks spoilt on purpose, to measure what reviewers overlook.",
    )
    batch: int = Field(
        default=100, ge=1, le=1000, description="As `review push --batch`: tasks a request."
    )
    store_on_server: str | None = Field(
        default=None,
        description="Path of the workspace's `store` as the server sees it; default the same.",
    )
    document_root: str | None = Field(
        default=None,
        description="The server's LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT; default the store.",
    )
    timeout_seconds: float = Field(default=120, gt=0, description="For one request.")
    settle_seconds: float = Field(
        default=30,
        ge=0,
        description="How long the server may still work on a request whose answer was lost; only "
        "then is what it lacks sent again.",
    )
    overlap_seconds: float = Field(
        default=60,
        ge=0,
        description="Every pull looks this far behind the last one, for what was saved late.",
    )


class ReleaseSettings(_Section):
    """`[release]`: what photos are used for, decided once for ever."""

    test_share: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="Share of the groups of near-duplicates in `test`; of photos not placed yet.",
    )
    val_share: float = Field(default=0.1, ge=0, le=0.4, description="Likewise in `val`.")
    licence: str | None = Field(
        default=None, description="What the card says of the photos' licence and consent."
    )


class StoreSettings(_Section):
    """`[store]`: the blobs."""

    url: str | None = Field(
        default=None,
        description="Bucket or folder in one: `s3://BUCKET/FOLDER`, `gs://…`, `az://…`; its "
        "credentials come from the environment, never from here; default the folder `store`.",
    )
    cache_bytes: int = Field(
        default=2 * 10**9,
        ge=0,
        description="Of a bucket's blobs, so many bytes are kept on this machine; 0: none.",
    )
    cache_folder: str | None = Field(
        default=None, description="Where; default a folder of the workspace's in ~/.cache."
    )
    most_removed: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Share of all blobs that `gc` removes without `--yes`: so many that no row "
        "names are rather a sign of the wrong database.",
    )


class CrawlSettings(_Section):
    """`[crawls]`: how crawls are read that lie elsewhere; credentials are never a setting."""

    private_addresses: bool = Field(
        default=False,
        description="Whether web addresses may lead to this machine and to private networks: lists "
        "come from strangers.",
    )
    timeout_seconds: float = Field(
        default=60, gt=0, description="For one file from the web, redirects included."
    )
    threads: int = Field(
        default=16, ge=1, le=256, description="Files that a worker fetches at once."
    )
    spool_bytes: int = Field(
        default=4 * 1024**3,
        ge=0,
        description="So much of what is fetched is kept on the disk until `ingest` ends; the rest "
        "is fetched twice, archives in parts.",
    )


class PolicySettings(_Section):
    """`[policy]`: which photos may be used, by where they came from."""

    licences: tuple[str, ...] | None = Field(
        default=None,
        description="Licences allowed, as SPDX ids, addresses or what was stated, with * for any "
        'end: ["CC0-1.0", "CC-BY-*"]; default all.',
    )
    refuse_opt_outs: bool = Field(
        default=True,
        description="Whether photos that say noai, a robots rule or the like are refused, and "
        "those whose people refused consent.",
    )
    allow_unknown: bool = Field(
        default=True,
        description="Whether photos of which nothing says where they came from, or under which "
        "licence, may be used.",
    )


class Settings(_Section):
    """All of `dataengine.toml`."""

    id: str | None = Field(
        default=None, description="Key of the workspace, also in its database and its store."
    )
    database: str | None = Field(
        default=None,
        description="URL: `postgresql://USER@HOST/NAME`, its password in PGPASSWORD or ~/.pgpass; "
        "or `sqlite:///FILE`, relative to the workspace; default `dataengine.db`.",
    )
    decode: DecodeSettings = DecodeSettings()
    masks: MaskSettings = MaskSettings()
    detector: DetectorSettings = DetectorSettings()
    portrait: PortraitSettings = PortraitSettings()
    teacher: TeacherSettings = TeacherSettings()
    subject: SubjectSettings = SubjectSettings()
    verdict: VerdictSettings = VerdictSettings()
    engine: EngineSettings = EngineSettings()
    review: ReviewSettings = ReviewSettings()
    release: ReleaseSettings = ReleaseSettings()
    store: StoreSettings = StoreSettings()
    policy: PolicySettings = PolicySettings()
    crawls: CrawlSettings = CrawlSettings()

    @model_validator(mode="after")
    def _working_copy_holds_the_smallest_face(self) -> "Settings":
        if self.detector.working_face_px > self.detector.min_face_px:
            raise ValueError("detector.working_face_px must not exceed detector.min_face_px")
        return self
