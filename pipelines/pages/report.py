"""`report`: everything that is known of a workspace, on one page that opens anywhere."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Purpose, Review, ReviewRequest, chunks, reader
from pipelines.origins.origin import merged
from pipelines.origins.rows import origins_of
from pipelines.pages.album import Album, Item, make_album
from pipelines.pages.attention import matters
from pipelines.pages.columns import sets_column, shares_column
from pipelines.pages.facts import Facts, gather
from pipelines.pages.rendering import CHARTS, check_target, render, write_page
from pipelines.pages.rows import PortraitRow, photo_names
from pipelines.pages.sample import PER_GROUP, Sample, choose
from pipelines.pages.sprites import Drawn
from pipelines.pages.steps import cards, steps
from pipelines.pages.worst import WorstOfRound, worst_of_latest
from pipelines.pictures.traits import described
from pipelines.rounds.measures import MEASURES, interval_of
from pipelines.workspace.defaults import PICTURES
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace
from sinet.escaping import printable

SECTIONS: Final = (
    ("overview", "At a glance"),
    ("funnel", "Funnel"),
    ("masks", "Masks"),
    ("failures", "Failures"),
    ("near-duplicates", "Near-duplicates"),
    ("reviewers", "Reviewers"),
    ("slices", "Kinds of portraits"),
    ("certificates", "Certificates"),
    ("rounds", "Rounds"),
    ("drift", "Drift"),
)
"""Of the page, in order: name within its address, title."""


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What page to make.

    Attributes:
        out: a .html file; overwritten.
        pictures: of how many portraits it holds the pictures, at most.
    """

    out: Path
    pictures: int = PICTURES


@dataclass(frozen=True, kw_only=True)
class Reported:
    """The page that was made.

    Attributes:
        path: as requested.
        size_bytes: of the file.
        portraits: that it counts.
        pictures: portraits whose picture is on it.
        unreadable: of those the ones with a blob that is missing or damaged.
    """

    path: Path
    size_bytes: int
    portraits: int
    pictures: int
    unreadable: int


def write_report(
    workspace: Workspace, request: ReportRequest, progress: Progress = SILENT
) -> Reported:
    """Make the page.

    Args:
        workspace: opened; what `scores slices` and `scores drift` need and is not known yet is
            computed and remembered.
        request: what to make.
        progress: told of each step and picture.

    Raises:
        PipelineError: the page cannot be written there.
        ReadOnlyError: something has to be computed, and the workspace was opened to read.
    """
    check_target(request.out)
    facts = gather(workspace, progress)
    must = [row for _, rows in facts.near_duplicates.largest for row in rows[:PER_GROUP]]
    number_of = {row.portrait_id: number for number, row in enumerate(facts.portraits)}
    sample = choose(facts.portraits, [number_of[row.portrait_id] for row in must], request.pictures)
    with reader(workspace.engine).begin() as connection:
        worst = worst_of_latest(workspace, connection)
        items = _items(connection, facts.portraits, sample)
    more = [] if worst is None else _worst_items(worst)
    album = make_album(workspace.store.get, [*items, *more], progress)
    page = _page(facts, sample, album, worst)
    size = write_page(request.out, page)
    return Reported(
        path=request.out,
        size_bytes=size,
        portraits=len(facts.portraits),
        pictures=len(sample.rows),
        unreadable=album.unreadable,
    )


def _page(facts: Facts, sample: Sample, album: Album, worst: WorstOfRound | None) -> str:
    place = {number: at for at, number in enumerate(sample.rows)}
    rows = {facts.portraits[number].portrait_id: at for number, at in place.items()}
    data = {
        "pictures": album.data,
        "portraits": _table(facts.portraits),
        "doubtful": [place[number] for number in sample.doubtful],
        "confident": [place[number] for number in sample.confident],
        "groups": [
            {
                "photos": photos,
                "places": [rows[row.portrait_id] for row in members if row.portrait_id in rows][
                    :PER_GROUP
                ],
            }
            for photos, members in facts.near_duplicates.largest
        ],
        "worst": list(range(len(sample.rows), album.count)),
        "charts": _charts(facts),
    }
    values = {
        "facts": facts,
        "funnel": facts.status.funnel,
        "review": facts.status.review,
        "score": facts.score,
        "sections": SECTIONS,
        "titles": dict(SECTIONS),
        "cards": cards(facts),
        "matters": matters(facts),
        "steps": steps(facts),
        "sample": sample,
        "doubt_words": _doubt_words(facts),
        "unreadable": album.unreadable,
        "rechecked": _rechecked(facts),
        "described": described,
        "worst": worst,
        "measures": MEASURES,
        "interval_of": interval_of,
    }
    return render("report.html.jinja", (*CHARTS, "pictures.js", "report.js"), data, values)


def _table(rows: Sequence[PortraitRow]) -> dict[str, Any]:
    """What all portraits can be filtered by."""
    return {
        "columns": {
            "verdict": sets_column((row.verdict,) if row.verdict else () for row in rows),
            "standing": sets_column((row.standing,) for row in rows),
            "source": sets_column((row.source,) if row.source else () for row in rows),
            "reasons": sets_column(row.reasons for row in rows),
            "reviewers": sets_column(row.reviewers for row in rows),
            "rounds": sets_column(row.rounds for row in rows),
            "slices": sets_column(row.slices for row in rows),
        },
        "doubt": shares_column(row.doubt for row in rows),
    }


def _items(connection: Connection, rows: Sequence[PortraitRow], sample: Sample) -> list[Item]:
    """The pictures of the sample, with what is said of each."""
    shown = [rows[number] for number in sample.rows]
    files = photo_names(connection, [row.image_id for row in shown])
    said = _said(connection, [row.mask_id for row in shown if row.mask_id is not None])
    origins = {
        image_id: found
        for ids in chunks(sorted({row.image_id for row in shown}))
        for image_id, found in origins_of(connection, ids).items()
    }
    items = []
    for number, row in zip(sample.rows, shown, strict=True):
        origin = merged(origins.get(row.image_id, []))
        licence = "" if origin is None else origin.licence or origin.licence_stated or ""
        words = {
            "row": number,
            "id": row.portrait_id,
            "file": printable(files.get(row.image_id, "")),
            "licence": printable(licence),
            "said": [printable(line) for line in said.get(row.mask_id or 0, [])],
        }
        masks = () if row.mask_blob is None else (row.mask_blob,)
        drawn = Drawn(
            blob=row.blob, size=row.size, masks=masks, probability_blob=row.probability_blob
        )
        items.append(Item(drawn=drawn, words=words))
    return items


def _worst_items(worst: WorstOfRound) -> list[Item]:
    return [
        Item(
            drawn=each.drawn,
            words={
                "row": None,
                "id": each.portrait_id,
                "before": each.before,
                "after": each.after,
            },
        )
        for each in worst.pictures
    ]


def _said(connection: Connection, mask_ids: Sequence[int]) -> dict[int, list[str]]:
    """Decisions that hold about each mask, one line each."""
    found: dict[int, list[str]] = {}
    for ids in chunks(mask_ids):
        query = (
            sa.select(
                Review.mask_id, Review.reviewer, Review.decision, Review.reasons, Review.comment
            )
            .outerjoin(ReviewRequest, ReviewRequest.id == Review.request_id)
            .where(
                Review.mask_id.in_(ids),
                Review.withdrawn_at.is_(None),
                sa.or_(Review.request_id.is_(None), ReviewRequest.purpose != Purpose.HONEYPOT),
            )
            .order_by(Review.decided_at, Review.id)
        )
        for row in connection.execute(query):
            more = [*(row.reasons or []), *([row.comment] if row.comment else [])]
            line = f"{row.reviewer}: {row.decision}" + (f" ({', '.join(more)})" if more else "")
            found.setdefault(row.mask_id, []).append(line)
    return found


def _charts(facts: Facts) -> dict[str, Any]:
    """What is drawn; the same figures stand in the tables."""
    reviewers = facts.status.review.reviewers
    return {
        "slices": [
            {"name": described(line.trait, line.low, line.high), **asdict(line.bad_rate)}
            for line in facts.slices
        ],
        "errors": [
            {"name": printable(name), **asdict(counts.error_rates.missed)}
            for name, counts in reviewers.items()
            if counts.error_rates is not None
        ],
        "rounds": [
            {
                "round": line.round,
                "measure": title,
                "value": line.metrics[measure],
                "low": sure and sure[0],
                "high": sure and sure[1],
                "promoted": line.promoted,
            }
            for line in facts.rounds
            if line.metrics is not None
            for measure, title in MEASURES.items()
            for sure in [interval_of(line.metrics, measure)]
        ],
        "drift": [
            [
                {"signal": each.signal, "distance": each.distance, "drifted": each.drifted}
                for each in drift.signals
            ]
            for drift in facts.drift
        ],
    }


def _doubt_words(facts: Facts) -> str:
    if facts.by_score:
        return "Doubt is the probability that a reviewer would find the mask bad."
    return (
        "No score has judged these masks yet, so doubt is what the network itself lacks in "
        "confidence; `dataengine scores fit` learns from people's decisions."
    )


def _rechecked(facts: Facts) -> list[tuple[str, object]]:
    again = facts.status.review.rechecked
    both = (("people", again.by_people), ("a certificate", again.by_certificate))
    return [(words, rate) for words, rate in both if rate.shown]
