"""The ledger of questions: what was asked, where its task is, how it stands.

Every function works in the caller's transaction. A request is written before anything is sent, so
that whatever happens in between, its key tells whether the server has it.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import (
    AttemptItem,
    AttemptState,
    Base,
    CertificateAttempt,
    Honeypot,
    Mask,
    Portrait,
    Purpose,
    RequestState,
    ReviewProject,
    ReviewRequest,
    chunks,
)
from pipelines.portraits.latest import no_later_proposal


@dataclass(frozen=True, slots=True)
class Project:
    """A project we push to and pull from.

    Attributes:
        id: ours.
        url: of the server, where it was seen last.
        server_id: the server's; 0 while it is being made.
        title: as shown.
        nonce: in its description, by which it is known.
        pulled_until: update time up to which everything was pulled, by the server's clock.
    """

    id: int
    url: str
    server_id: int
    title: str
    nonce: str
    pulled_until: datetime | None


@dataclass(frozen=True, slots=True)
class Question:
    """A request with what its task is made of.

    Attributes:
        id: of the request.
        key: opaque, in the task's data.
        portrait_id: whose mask it is about.
        mask_id: the revision shown.
        portrait_blob: store key of the crop.
        mask_blob: store key of the mask that is shown.
        task_id: the server's, if known.
        posted_at: when sending it was last begun, if ever.
        state: how it stands.
        problem: why an answer that came cannot be used, if one cannot.
        purpose: why it is asked.
    """

    id: int
    key: str
    portrait_id: int
    mask_id: int
    portrait_blob: str
    mask_blob: str
    task_id: int | None
    posted_at: datetime | None
    state: RequestState
    problem: str | None
    purpose: Purpose


def projects(connection: Connection) -> list[Project]:
    """Projects on all servers, latest first."""
    made = _PROJECTS.where(ReviewProject.server_project_id.is_not(None))
    return [Project(*row) for row in connection.execute(made.order_by(ReviewProject.id.desc()))]


def reserve_project(connection: Connection, url: str, title: str) -> Project:
    """Note that a project is about to be made, so that one whose making is cut off is found."""
    reserved = _PROJECTS.where(
        ReviewProject.server_project_id.is_(None), ReviewProject.title == title
    )
    row = connection.execute(reserved.order_by(ReviewProject.id)).first()
    if row is not None:
        return Project(*row)
    values = {"url": url, "title": title, "nonce": secrets.token_hex(16)}
    added = sa.insert(ReviewProject).values(values).returning(ReviewProject.id)
    return Project(connection.scalars(added).one(), url, 0, title, values["nonce"], None)


def settle_project(connection: Connection, reserved: Project, url: str, server_id: int) -> Project:
    """Note where a reserved project is.

    A server that was set up anew counts from 1 again: whatever we knew there by that number is
    gone, and is to be made again when somebody pushes to it.
    """
    stale = sa.update(ReviewProject).where(
        ReviewProject.url == url,
        ReviewProject.server_project_id == server_id,
        ReviewProject.id != reserved.id,
    )
    connection.execute(stale.values(server_project_id=None))
    update = sa.update(ReviewProject).where(ReviewProject.id == reserved.id)
    connection.execute(update.values(url=url, server_project_id=server_id))
    return replace(reserved, url=url, server_id=server_id)


def move_project(connection: Connection, project: Project, url: str) -> None:
    """Note that a project's server is reached under another URL."""
    update = sa.update(ReviewProject).where(ReviewProject.id == project.id)
    connection.execute(update.values(url=url))


def latest_keys(connection: Connection, project: Project, number: int) -> list[str]:
    """Keys of the tasks that were sent to a project last."""
    query = sa.select(ReviewRequest.key).where(
        ReviewRequest.project_id == project.id, ReviewRequest.task_id.is_not(None)
    )
    return list(connection.scalars(query.order_by(ReviewRequest.id.desc()).limit(number)))


def move_undecided(connection: Connection, old: Project, new: Project) -> None:
    """A project is gone: ask what had no answer yet in another one."""
    moved = (
        sa.update(ReviewRequest)
        .where(ReviewRequest.project_id == old.id, _waiting())
        .values(project_id=new.id, state=RequestState.OPEN, task_id=None, problem=None)
    )
    connection.execute(moved)


def open_ids(connection: Connection, project: Project) -> list[int]:
    """Requests that may not be on the server yet, in order.

    Those that were tried come last, the latest at the end: when their turn comes, whatever the
    server still did about them is probably over, and one look tells.
    """
    query = sa.select(ReviewRequest.id).where(
        ReviewRequest.project_id == project.id, ReviewRequest.state == RequestState.OPEN
    )
    tried = ReviewRequest.posted_at
    return list(connection.scalars(query.order_by(tried.is_not(None), tried, ReviewRequest.id)))


def questions(
    connection: Connection,
    *,
    ids: Collection[int] | None = None,
    keys: Collection[str] | None = None,
) -> list[Question]:
    """Requests by their ids or keys, a few hundred at most, in the order of their ids."""
    query = _questions()
    if ids is not None:
        query = query.where(ReviewRequest.id.in_(ids))
    if keys is not None:
        query = query.where(ReviewRequest.key.in_(keys))
    return [Question(*row) for row in connection.execute(query)]


def superseded(connection: Connection, project: Project) -> list[Question]:
    """Requests without an answer that nothing rests on any more.

    The portrait has a newer mask, or the audit that the question belongs to is settled; a honeypot
    stays what it is.
    """
    audited = (
        sa.select(AttemptItem.mask_id)
        .join(CertificateAttempt, CertificateAttempt.id == AttemptItem.attempt_id)
        .where(AttemptItem.audited)
    )
    is_open = CertificateAttempt.state == AttemptState.OPEN
    settled = sa.and_(
        ReviewRequest.purpose == Purpose.AUDIT,
        ReviewRequest.mask_id.in_(audited.where(~is_open)),
        ReviewRequest.mask_id.not_in(audited.where(is_open)),
    )
    outdated = _questions().where(
        ReviewRequest.project_id == project.id,
        ReviewRequest.purpose != Purpose.HONEYPOT,
        _waiting(),
        sa.or_(~no_later_proposal(), settled),
    )
    return [Question(*row) for row in connection.execute(outdated)]


def sent(connection: Connection, project: Project) -> list[tuple[int, int | None]]:
    """(request id, task id) of the requests that wait for an answer."""
    query = sa.select(ReviewRequest.id, ReviewRequest.task_id).where(
        ReviewRequest.project_id == project.id, ReviewRequest.state == RequestState.SENT
    )
    return [(row.id, row.task_id) for row in connection.execute(query)]


def mark_posted(connection: Connection, ids: Iterable[int]) -> datetime:
    """Note, before a POST, that it will be tried. Returns the time noted."""
    now = datetime.now(UTC)
    _update(connection, ids, {"posted_at": now})
    return now


def mark_sent(connection: Connection, task_ids: Mapping[int, int]) -> None:
    """Note the tasks (request id → task id) that are known to be on the server."""
    now = datetime.now(UTC)
    rows = [{"of": key, "task": task, "now": now} for key, task in task_ids.items()]
    if rows:
        connection.execute(_SENT, rows)


def mark_superseded(connection: Connection, ids: Iterable[int]) -> None:
    """Note that nobody needs to look any more, unless an answer was pulled meanwhile."""
    _update(connection, ids, {"state": RequestState.SUPERSEDED}, _waiting())


def reopen(connection: Connection, ids: Iterable[int]) -> None:
    """Note that their tasks are not on the server any more: they will be sent again."""
    values = {"state": RequestState.OPEN, "task_id": None, "problem": None}
    _update(connection, ids, values, ReviewRequest.state == RequestState.SENT)


def _update(
    connection: Connection,
    ids: Iterable[int],
    values: dict[str, Any],
    condition: sa.ColumnElement[bool] | None = None,
) -> None:
    for chunk in chunks(ids):
        statement = sa.update(ReviewRequest).where(ReviewRequest.id.in_(chunk))
        if condition is not None:
            statement = statement.where(condition)
        connection.execute(statement.values(values))


def _waiting() -> sa.ColumnElement[bool]:
    return ReviewRequest.state.in_([RequestState.OPEN, RequestState.SENT])


def _questions() -> "sa.Select[*tuple[Any, ...]]":
    return (
        sa.select(
            ReviewRequest.id,
            ReviewRequest.key,
            ReviewRequest.portrait_id,
            ReviewRequest.mask_id,
            Portrait.blob,
            sa.func.coalesce(Honeypot.shown_blob, Mask.blob).label("mask"),
            ReviewRequest.task_id,
            ReviewRequest.posted_at,
            ReviewRequest.state,
            ReviewRequest.problem,
            ReviewRequest.purpose,
        )
        .join(Mask, Mask.id == ReviewRequest.mask_id)
        .join(Portrait, Portrait.id == ReviewRequest.portrait_id)
        .outerjoin(Honeypot, Honeypot.request_id == ReviewRequest.id)
        .order_by(ReviewRequest.id)
    )


_PROJECTS: "sa.Select[*tuple[Any, ...]]" = sa.select(
    ReviewProject.id,
    ReviewProject.url,
    sa.func.coalesce(ReviewProject.server_project_id, 0),
    ReviewProject.title,
    ReviewProject.nonce,
    ReviewProject.pulled_until,
)
_request = Base.metadata.tables["review_request"]
# A decision may have been pulled before the push that sent the task heard of it.
_SENT = (
    sa.update(_request)
    .where(_request.c.id == sa.bindparam("of"))
    .values(
        task_id=sa.bindparam("task"),
        sent_at=sa.bindparam("now"),
        state=sa.case(
            (
                _request.c.state == RequestState.OPEN,
                sa.literal(RequestState.SENT, _request.c.state.type),
            ),
            else_=_request.c.state,
        ),
    )
)
