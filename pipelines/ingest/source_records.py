"""Sources in the database: what is to be read, and what of what lies elsewhere is known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import ArchiveRow, Source, among, insert_or_replace
from pipelines.ingest.found import FoundArchive


@dataclass(frozen=True)
class SourceFile:
    """A source to be read, and what lies beside it, if it lies elsewhere."""

    uri: str
    beside: tuple[str, ...] = ()


def remember_archives(connection: Connection, archives: Sequence[FoundArchive]) -> None:
    """Note that all members of archives are sources: they need not be gone through again."""
    rows = {each.uri: each for each in archives}
    insert_or_replace(
        connection,
        ArchiveRow,
        [
            {"uri": each.uri, "version": each.version, "members": each.members}
            for each in rows.values()
        ],
    )


def known_members(connection: Connection, uri: str, version: str) -> int | None:
    """Number of members of an archive that is remembered in this version; None: it is not."""
    query = sa.select(ArchiveRow.members).where(ArchiveRow.uri == uri)
    return connection.scalar(query.where(ArchiveRow.version == version))


def sources(connection: Connection, ids: Iterable[int]) -> dict[int, SourceFile]:
    """Sources by their ids."""
    query = sa.select(Source.id, Source.uri, Source.beside).where(among(Source.id, ids))
    return {
        row.id: SourceFile(row.uri, tuple(row.beside or ())) for row in connection.execute(query)
    }


def sources_under(connection: Connection, uri: str) -> list[str]:
    """URIs of the sources that are what an address names, or lie under it."""
    folder = uri if uri.endswith("/") else f"{uri}/"
    starts = (folder, f"{uri}#")
    within = (Source.uri.startswith(start, autoescape=True) for start in starts)
    query = sa.select(Source.uri).where(sa.or_(Source.uri == uri, *within))
    return list(connection.scalars(query.order_by(Source.id)))
