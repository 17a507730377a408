"""Photos without a face, audited: a person looks at a sample, and a bound holds for the rest.

The machinery is that of `pipelines.certify`: the sample is drawn from a listed set without
replacement, the test is exact, and every audit of a workspace spends half of what the one before
left, so that trying again buys nothing.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Negative, NegativeAudit, Outcome, Source, chunks, reader
from pipelines.certify.certificate import alpha_of_attempt, audit_size, judge_audit
from pipelines.ingest.scan import scan
from pipelines.releases.audited_slices import (
    AuditedPhotos,
    audited_slices,
    look_at_faceless,
)
from pipelines.releases.negatives import ConfirmRequest, confirm_file
from pipelines.workspace.errors import ItemError, PipelineError
from pipelines.workspace.exclusive import exclusive
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class AuditRequest:
    """What an audit is to prove.

    Attributes:
        max_error: the largest share of photos with somebody in them.
        confidence: with which.
        seed: of the draw; None: another one each time.
    """

    max_error: float = 0.01
    confidence: float = 0.95
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class DrawnAudit:
    """A sample to be looked at.

    Attributes:
        number: of the audit.
        lines: the sample's photos, as a list of paths has them.
        photos: number of photos that it speaks of.
        max_error: as asked.
        confidence: likewise.
        is_new: drawn now; otherwise it has been waiting.
    """

    number: int
    lines: Sequence[str]
    photos: int
    max_error: float
    confidence: float
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class JudgedAudit:
    """What an audit says.

    Attributes:
        number: of the audit.
        audited: photos looked at.
        errors: those with somebody in them, and those that cannot be read any more.
        bound: on the share of photos with somebody in them, in [0, 1].
        certified: the rest are negatives.
        confirmed: photos of the sample that are negatives.
        accepted: photos beside the sample that are.
        missing: what stands in the way, in words; None: nothing does.
        slices: the sample by what its photos are like.
    """

    number: int
    audited: int
    errors: int
    bound: float
    certified: bool
    confirmed: int
    accepted: int
    missing: str | None
    slices: Sequence[AuditedPhotos]


def draw_negative_audit(workspace: Workspace, request: AuditRequest) -> DrawnAudit:
    """Draw a sample of the photos without a face; the one that still waits, if there is one.

    Raises:
        PipelineError: there are no such photos, or the bound or confidence is not within (0, 1).
    """
    if not (0 < request.max_error < 1 and 0 < request.confidence < 1):
        raise PipelineError("--max-error and --confidence lie between 0 and 1")
    with (
        exclusive(workspace, "negatives", "an audit of photos without a face goes on"),
        workspace.engine.begin() as connection,
    ):
        row = _open(connection)
        is_new = row is None
        if row is None:
            _draw(connection, request)
            row = _open(connection)
        assert row is not None
        uris = _uris(connection, row.drawn)
    return DrawnAudit(
        number=row.id,
        lines=[_line(uris[each][0]) for each in row.drawn if each in uris],
        photos=len(row.image_ids),
        max_error=row.max_error,
        confidence=row.confidence,
        is_new=is_new,
    )


def judge_negative_audit(
    workspace: Workspace, request: ConfirmRequest, progress: Progress = SILENT
) -> JudgedAudit:
    """Take what is listed for the sample's photos without anybody, and judge by the others.

    Args:
        workspace: opened.
        request: photos of the sample that nobody is in, and who looked at all of it.
        progress: told of each photo that becomes a negative.

    Raises:
        PipelineError: no sample waits, nobody says so, or other photos are listed.
        ScanError: a path cannot be read.
        WorkspaceError: a blob cannot be written.
    """
    by = request.by.strip()
    if not by:
        raise PipelineError("say who looked at the photos: --by NAME")
    found = scan(request.paths, sources=workspace.sources, follow=True)
    listed = {file.uri for file in found}
    with exclusive(workspace, "negatives", "an audit of photos without a face goes on"):
        with reader(workspace.engine).begin() as connection:
            row = _open(connection)
            if row is None:
                raise PipelineError("no audit waits; draw one: `dataengine confirm --audit`")
            uris = _uris(connection, row.image_ids)
        of_sample = {uri for each in row.drawn for uri in uris.get(each, ())}
        strange = sorted(listed - of_sample)
        if strange:
            raise PipelineError(
                f"{uri_path(strange[0])}: is not of the sample of audit {row.id}; list its photos "
                "alone"
            )
        good = [each for each in row.drawn if listed & set(uris.get(each, ()))]
        with reader(workspace.engine).begin() as connection:
            sample = {each: uris.get(each, []) for each in row.drawn}
            limits = workspace.settings.decode
            photos = look_at_faceless(connection, sample, limits, workspace.sources)
        confirmed = _confirm(workspace, good, uris, by, None, progress)
        wrong = set(row.drawn) - confirmed
        errors = len(wrong)
        judged = judge_audit(
            errors=errors,
            audited=len(row.drawn),
            planned=len(row.drawn),
            population=len(row.image_ids),
            max_error=row.max_error,
            alpha=row.alpha,
        )
        rest = sorted(set(row.image_ids) - set(row.drawn)) if judged.certified else []
        accepted = _confirm(workspace, rest, uris, f"audit {row.id}", row.id, progress)
        # Last, so that a run that is killed before goes on with the same list.
        values = {"judged_by": by, "judged_at": datetime.now(UTC)}
        values |= {"errors": errors, "certified": judged.certified}
        with workspace.engine.begin() as connection:
            update = sa.update(NegativeAudit).where(NegativeAudit.id == row.id)
            connection.execute(update.values(values))
    return JudgedAudit(
        number=row.id,
        audited=len(row.drawn),
        errors=errors,
        bound=judged.bound,
        certified=judged.certified,
        confirmed=len(confirmed),
        accepted=len(accepted),
        missing=judged.missing,
        slices=audited_slices(photos, wrong, row.alpha),
    )


def _draw(connection: Connection, request: AuditRequest) -> None:
    # A list of paths cannot name what is in a tar.
    in_files = sa.select(Source.image_id).where(Source.uri.not_like("%#%"))
    faceless = sa.select(Image.id).where(
        Image.outcome == Outcome.NO_FACE,
        Image.id.not_in(sa.select(Negative.image_id)),
        Image.id.in_(in_files.where(Source.image_id.is_not(None))),
    )
    seen: set[int] = set()
    for (drawn,) in connection.execute(sa.select(NegativeAudit.drawn)):
        seen.update(drawn)
    photos = [
        each for each in connection.scalars(faceless.order_by(Image.sha256)) if each not in seen
    ]
    if not photos:
        raise PipelineError("there is no photo without a face that nobody has looked at")
    before = connection.scalar(sa.select(sa.func.count()).select_from(NegativeAudit)) or 0
    alpha = alpha_of_attempt(1 - request.confidence, before + 1)
    size = audit_size(request.max_error, alpha, population=len(photos))
    seed = secrets.randbits(63) if request.seed is None else request.seed
    numbers = np.random.default_rng(seed).choice(len(photos), size, replace=False)
    values = {
        "image_ids": photos,
        "drawn": sorted(photos[number] for number in numbers),
        "max_error": request.max_error,
        "confidence": request.confidence,
        "alpha": alpha,
        "drawn_at": datetime.now(UTC),
    }
    connection.execute(sa.insert(NegativeAudit).values(values))


def _open(connection: Connection) -> "sa.Row[tuple[Any, ...]] | None":
    """The audit whose sample nobody has judged."""
    query = sa.select(NegativeAudit.__table__).where(NegativeAudit.judged_at.is_(None))
    return connection.execute(query).first()


def _uris(connection: Connection, image_ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for ids in chunks(image_ids):
        query = sa.select(Source.image_id, Source.uri).where(
            Source.image_id.in_(ids), Source.uri.not_like("%#%")
        )
        for row in connection.execute(query.order_by(Source.id)):
            found.setdefault(int(row.image_id or 0), []).append(row.uri)
    return found


def _line(uri: str) -> str:
    """A path where it is read as one, else the address."""
    path = uri_path(uri)
    return path if path.isprintable() and path == path.strip() else uri


def _confirm(
    workspace: Workspace,
    image_ids: Sequence[int],
    uris: dict[int, list[str]],
    by: str,
    audit_id: int | None,
    progress: Progress,
) -> set[int]:
    """Make negatives; which of the photos are some now."""
    done = set()
    for image_id in tracked(progress, image_ids, "confirming", "photos"):
        for uri in uris.get(image_id, ()):
            try:
                confirm_file(workspace, uri, by, audit_id)
            except ItemError:
                continue  # gone or changed: another copy may be there
            done.add(image_id)
            break
    return done
