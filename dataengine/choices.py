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


class Device(StrEnum):
    """Where the networks run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
