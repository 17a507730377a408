"""What a verification says: what is wrong, what was looked at, what is worth a note."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What can be wrong."""

    MISSING_BLOB = "missing_blob"  # a row names a blob that is not there
    DAMAGED_BLOB = "damaged_blob"  # a blob's content does not match its name
    NO_KEY = "no_key"  # a row names something that cannot be a blob
    DANGLING = "dangling_reference"  # a row refers to a row that is not there
    REMEMBERED = "remembered"  # a forgotten photo is here again
    MISSING_FILE = "missing_file"  # a release lacks a file that its checksums list
    DAMAGED_FILE = "damaged_file"  # a file of a release has another checksum
    NOT_A_FILE = "not_a_file"  # a link, a pipe or the like is where a file or folder was released
    UNLISTED_FILE = "unlisted_file"  # a release holds a file that its checksums do not list
    CHECKSUMS = "checksums"  # a release's checksums.txt is missing, unreadable or another one
    MISSING_RELEASE = "missing_release"  # a frozen release's folder is not there
    CHECKPOINT = "checkpoint"  # a run's weights are missing, or others


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        fault: what kind.
        what: the file or row.
        message: one line that names it.
    """

    fault: Fault
    what: str
    message: str


@dataclass
class Report:
    """The outcome of a verification.

    Attributes:
        problems: what is wrong.
        notes: what is not wrong but worth knowing.
        blobs: claims of rows on blobs that were checked.
        references: columns whose references were checked.
        releases: releases whose files were checked.
        files: files of releases that were checked.
        runs: runs whose weights were checked.
        bytes: that were read.
        unnamed: blobs that no row names: `gc` removes them.
        repaired: blobs that were made again before this.
        checksum: of the folder that was checked, as it is now; None if none was named.
        never_sealed: whether that folder is no release that this workspace sealed (nor the one
            that was asked for by its checksum), however sound it is in itself.
        seconds: that it took.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    blobs: int = 0
    references: int = 0
    releases: int = 0
    files: int = 0
    runs: int = 0
    bytes: int = 0
    unnamed: int = 0
    repaired: int = 0
    checksum: str | None = None
    never_sealed: bool = False
    seconds: float = 0

    @property
    def read(self) -> str:
        """What was read, for people."""
        return f"{self.bytes / 1e6:,.1f} MB"

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def broken_blobs(self) -> list[str]:
        """Keys of the blobs that are missing or damaged."""
        broken = (Fault.MISSING_BLOB, Fault.DAMAGED_BLOB)
        return sorted({each.what for each in self.problems if each.fault in broken})

    def add(self, fault: Fault, what: str, message: str) -> None:
        """Note something that is wrong."""
        self.problems.append(Problem(fault, what, message))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        problems = [{**vars(each), "fault": str(each.fault)} for each in self.problems]
        told = {"problems": problems, "seconds": round(self.seconds, 3)}
        return {"ok": self.ok, **vars(self), **told}
