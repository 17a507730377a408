"""Counting what a run does."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What was committed; tallies of batches and workers add up.

    Attributes:
        files: files done with: read in vain, found to be copies, or searched for faces.
        duplicates: files whose content was there already.
        no_face: images without a portrait.
        portraits: portraits cut out.
        verdicts: masks by verdict.
        failures: failed jobs by reason.
    """

    files: int = 0
    duplicates: int = 0
    no_face: int = 0
    portraits: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.files += other.files
        self.duplicates += other.duplicates
        self.no_face += other.no_face
        self.portraits += other.portraits
        self.verdicts += other.verdicts
        self.failures += other.failures
