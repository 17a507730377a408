"""The funnel of a report, and the figures at its top."""

from collections import Counter
from dataclasses import dataclass

from db import Verdict
from pipelines.pages.facts import Facts
from pipelines.pages.rows import TRUSTED
from pipelines.rounds.measures import interval_of


@dataclass(frozen=True, kw_only=True)
class Step:
    """A line of the funnel.

    Attributes:
        title: what is counted.
        number: of them.
        of: of how many at most: the bar's full length.
        figure: its key in `status --json`; of trusted masks, which that does not count, empty.
        note: beside it.
        level: 0, or 1 for a part of what stands above.
        kind: how its bar looks.
        filter: column and word by which the masks can be shown; None: they cannot.
    """

    title: str
    number: int
    of: int
    figure: str
    note: str = ""
    level: int = 0
    kind: str = ""
    filter: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Card:
    """A figure at the top: its title, itself, and a note beside it."""

    title: str
    value: str
    note: str


def steps(facts: Facts) -> list[Step]:
    """From files to trusted masks."""
    funnel = facts.status.funnel
    photos = funnel.photos
    most = max(photos.seen, funnel.portraits, 1)
    copies = f"copies of others: {photos.duplicates:,}" if photos.duplicates else ""
    found = [
        Step(title="files", number=photos.seen, of=most, figure="photos.seen", note=copies),
        Step(title="photos", number=photos.unique, of=most, figure="photos.unique"),
        Step(
            title="with portraits",
            number=photos.with_portraits,
            of=most,
            figure="photos.with_portraits",
            level=1,
        ),
        Step(title="no face", number=photos.no_face, of=most, figure="photos.no_face", level=1),
        Step(
            title="failed",
            number=photos.failed,
            of=most,
            figure="photos.failed",
            level=1,
            kind="failed",
        ),
        Step(title="portraits", number=funnel.portraits, of=most, figure="portraits"),
    ]
    found += [
        Step(
            title=str(verdict),
            number=funnel.verdicts[str(verdict)],
            of=most,
            figure=f"verdicts.{verdict}",
            level=1,
            kind=str(verdict),
            filter=("verdict", str(verdict)),
        )
        for verdict in Verdict
    ]
    trust = _trust(facts)
    found.append(
        Step(title="trusted masks", number=trust.total(), of=most, figure="", kind="trusted")
    )
    found += [
        Step(
            title=name,
            number=number,
            of=most,
            figure="",
            level=1,
            kind="trusted",
            filter=("standing", name),
        )
        for name, number in sorted(trust.items())
    ]
    return found


def cards(facts: Facts) -> list[Card]:
    """What is asked first."""
    funnel, review = facts.status.funnel, facts.status.review
    trusted = _trust(facts).total()
    share = f"{trusted / funnel.portraits:.0%} of the portraits" if funnel.portraits else ""
    found = [
        Card(
            title="photos",
            value=f"{funnel.photos.unique:,}",
            note=f"{funnel.photos.with_portraits:,} with portraits",
        ),
        Card(
            title="portraits",
            value=f"{funnel.portraits:,}",
            note=f"{funnel.verdicts[Verdict.CANDIDATE]:,} of the verdict candidate",
        ),
        Card(title="trusted masks", value=f"{trusted:,}", note=share),
        Card(
            title="decisions of people",
            value=f"{review.accepted + review.rejected + review.fixed:,}",
            note=f"{review.waiting:,} questions wait" if review.waiting else "",
        ),
    ]
    current = next((line for line in facts.rounds if line.is_current and line.metrics), None)
    if current is not None and current.metrics is not None:
        sure = interval_of(current.metrics, "native_iou")
        found.append(
            Card(
                title=f"native IoU of round {current.round}'s student",
                value=f"{100 * current.metrics['native_iou']:.2f}",
                note="" if sure is None else f"{100 * sure[0]:.2f} to {100 * sure[1]:.2f}",
            )
        )
    return found


def _trust(facts: Facts) -> Counter[str]:
    """Portraits whose latest mask is trusted, by why."""
    return Counter(row.standing for row in facts.portraits if row.standing in TRUSTED)
