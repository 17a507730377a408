"""Choices of options, spelled here so that `--help` need not load the database."""

from enum import StrEnum

NETWORK_HELP = (
    "auto, deeplabv3_resnet50, deeplabv3_resnet101, deeplabv3_mobilenet_v3_large (torchvision's, "
    "downloaded once), bundled (small, needs no internet), sinet:bundled (smaller), sinet:current "
    "(the last round's student), sinet:FILE (a network trained here, or the SINet authors' .pth), "
    "mediapipe (its selfie segmentation; the extra `mediapipe`), "
    "onnx:FILE (an exported network), or a file by its suffix: .safetensors, .pth, .onnx. Several "
    "with commas between them stand for their mean; views: before a name, as in views:bundled, for "
    "the mean of four views of the image."
)
"""What may be written wherever any network is taken; a test holds it equal to what is."""


class VerdictChoice(StrEnum):
    """As `db.Verdict`; a test holds them equal."""

    CANDIDATE = "candidate"
    REVIEW = "review"
    REJECTED = "rejected"


class StageChoice(StrEnum):
    """Steps that a file, a portrait or a mask goes through, as `db.ITEM_TABLES` has them."""

    READ = "read"
    DETECT = "detect"
    IMPORT = "import"
    LABEL = "label"
    RELABEL = "relabel"
    SIGNALS = "signals"
    TRAITS = "traits"


class OrderChoice(StrEnum):
    """As `pipelines.review.choosing.Order`; a test holds them equal."""

    UNCERTAIN = "uncertain"
    RANDOM = "random"
    ID = "id"
    DISAGREEMENT = "disagreement"
    DOUBTFUL = "doubtful"
    INFORMATIVE = "informative"


class Device(StrEnum):
    """Where the networks run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class FormatChoice(StrEnum):
    """How a release is laid out, as `pipelines.releases.formats.Format`."""

    FOLDER = "folder"
    COCO = "coco"
    WEBDATASET = "webdataset"
    PARQUET = "parquet"
    HF = "hf"
    YOLO = "yolo"


class MinSourceChoice(StrEnum):
    """What a released mask needs, as `pipelines.portraits.standing.MinSource`."""

    HUMAN = "human"
    CERTIFIED = "certified"
    ANY = "any"


class MaskChannel(StrEnum):
    """Where a mask is in a file with transparency, as `sinet.pictures.mask_options`."""

    ALPHA = "alpha"
    COLOUR = "colour"


class MethodChoice(StrEnum):
    """How `relabel` makes masks, as `pipelines.rounds.relabel.Method`."""

    STUDENT = "student"
    MEAN = "mean"
