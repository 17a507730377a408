"""Choices of options, spelled here so that `--help` need not load the database."""

from enum import StrEnum


class VerdictChoice(StrEnum):
    """As `db.Verdict`; a test holds them equal."""

    CANDIDATE = "candidate"
    REVIEW = "review"
    REJECTED = "rejected"


class OrderChoice(StrEnum):
    """As `pipelines.review.choosing.Order`; a test holds them equal."""

    UNCERTAIN = "uncertain"
    RANDOM = "random"
    ID = "id"
    DISAGREEMENT = "disagreement"
    DOUBTFUL = "doubtful"


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


class MinSourceChoice(StrEnum):
    """What a released mask needs, as `pipelines.portraits.standing.MinSource`."""

    HUMAN = "human"
    CERTIFIED = "certified"
    ANY = "any"


class MethodChoice(StrEnum):
    """How `relabel` makes masks, as `pipelines.rounds.relabel.Method`."""

    STUDENT = "student"
    MEAN = "mean"
