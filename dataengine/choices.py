"""Choices of options, spelled here so that `--help` need not load the database."""

from enum import StrEnum


class VerdictChoice(StrEnum):
    """As `db.Verdict`; a test holds them equal."""

    CANDIDATE = "candidate"
    REVIEW = "review"
    REJECTED = "rejected"


class Device(StrEnum):
    """Where the networks run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
