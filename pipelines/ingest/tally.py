"""Counting what a run does."""

from collections import Counter
from dataclasses import dataclass, field

from db import Stage
from pipelines.work.stage import Committed


@dataclass
class Tally:
    """What was committed; tallies of batches and workers add up.

    Attributes:
        files: files done with: read in vain, found to be copies, or searched for faces.
        duplicates: files whose content was there already.
        no_face: images without a portrait.
        portraits: portraits cut out.
        verdicts: masks by verdict.
        labelled: masks that the teacher made.
        empty: those of them that show nobody, or not the one whose face it is.
        masks_read: imported masks by how their files were read, in words.
        failures: failed jobs by reason.
    """

    files: int = 0
    duplicates: int = 0
    no_face: int = 0
    portraits: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    labelled: int = 0
    empty: int = 0
    masks_read: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """In short, for people who wait."""
        rejected = self.verdicts.get("rejected", 0)
        failures = sum(self.failures.values())
        return f"{self.portraits:,} portraits, {rejected:,} rejected, {failures:,} failures"

    def note(self, batch: Committed) -> None:
        """Add what a batch committed."""
        for told in batch.told:
            if isinstance(told, Tally):
                self.add(told)
        for failure in batch.failures:
            self.failures[failure.reason] += 1
            self.files += batch.stage in (Stage.READ, Stage.DETECT)

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.files += other.files
        self.duplicates += other.duplicates
        self.no_face += other.no_face
        self.portraits += other.portraits
        self.verdicts += other.verdicts
        self.labelled += other.labelled
        self.empty += other.empty
        self.masks_read += other.masks_read
        self.failures += other.failures
