"""May a new student take the place of the current one? A paired bootstrap over the test images.

A difference on a finite test set is partly luck. The new student is promoted only if the images
speak clearly: not worse on intersection over union and on boundary F1, and better on one of them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pipelines.rounds.measures import MEASURES
from sinet.evaluate import Scores
from sinet.metrics import Interval, paired_bootstrap

TOLERANCE: Final = 0.002
"""Not worse: the lower limit is above minus this (0.2 points)."""

CONFIDENCE: Final = 0.95
"""Two-sided: the lower limit holds at 97.5 %."""

MIN_GROUPS: Final = 100
"""With fewer independent test images nothing is promoted without a person's word."""


@dataclass(frozen=True)
class Gate:
    """What the comparison says.

    Attributes:
        against: whom the student was compared with, for people.
        differences: student − other by measure, means with 95 % intervals, 0..1.
        groups: independent groups of test images.
        passes: may it be promoted without a person's word?
        message: why or why not, one line.
    """

    against: str
    differences: dict[str, Interval]
    groups: int
    passes: bool
    message: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {
            "differences": {name: each._asdict() for name, each in self.differences.items()}
        }


def compare(
    student: Sequence[Scores],
    other: Sequence[Scores],
    groups: Sequence[int],
    against: str,
    *,
    is_first: bool,
) -> Gate:
    """Compare a student with another network on the same images.

    Args:
        student: its scores, one an image.
        other: the other's, of the same images in the same order.
        groups: of near-duplicates, one number an image; drawn as a whole.
        against: what the other one is, for people.
        is_first: there is no current student; the other is an untrained network, and to be
            better in one measure is enough.
    """
    differences = {
        name: paired_bootstrap(
            [getattr(scores, name) for scores in student],
            [getattr(scores, name) for scores in other],
            groups=groups,
            confidence=CONFIDENCE,
        )
        for name in MEASURES
    }
    number = len(set(groups))
    better = [name for name, found in differences.items() if found.low > 0]
    worse = [name for name, found in differences.items() if found.low <= -TOLERANCE]
    if number < MIN_GROUPS:
        passes = False
        message = f"only {number} independent test images, {MIN_GROUPS} are needed"
    elif is_first:
        passes = "native_iou" in better
        message = f"{'better' if passes else 'not better'} than {against}"
    elif worse:
        passes = False
        message = f"may be worse than {against}: {_said(worse, differences)}"
    elif not better:
        passes = False
        message = f"not better than {against} beyond chance: {_said([*MEASURES], differences)}"
    else:
        passes = True
        message = f"better than {against}: {_said(better, differences)}"
    return Gate(against, differences, number, passes, message)


def _said(names: Sequence[str], differences: dict[str, Interval]) -> str:
    return ", ".join(
        f"{MEASURES[name]} {100 * found.difference:+.2f} ({100 * found.low:+.2f} to "
        f"{100 * found.high:+.2f})"
        for name in names
        for found in [differences[name]]
    )
