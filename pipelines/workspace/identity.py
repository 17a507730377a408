"""One workspace, one key: in its settings, its database and its store.

A database that was lost reads as an empty one, and one that was mixed up as somebody else's; then
`verify` would find nothing wrong, and `gc` remove everything. So all three are held against each
other whenever a workspace is opened.
"""

import os
import secrets
import tomllib
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from db import Base, WorkspaceRow, display_name, reader, transact
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.store import Store

KEY_LINE = 'id = "{key}"  # of this workspace, also in its database and its store: leave it\n'


def key_of(connection: Connection) -> str:
    """The key that a database with today's tables holds."""
    return connection.scalars(sa.select(WorkspaceRow.key)).one()


def require_same(engine: Engine, store: Store, settings: str | None, root: Path) -> str:
    """Hold the keys of the three against each other.

    Args:
        engine: of the database, with today's tables.
        store: of the blobs.
        settings: key in the settings; None: an older program wrote them.
        root: of the workspace, for messages.

    Returns:
        The key.

    Raises:
        WorkspaceError: they are of different workspaces, or the database does not know the store.
    """
    name = display_name(engine)
    told = store.identity()
    with reader(engine).begin() as connection:
        key = key_of(connection)
        is_unknown = told is None and has_any(store.keys()) and not names_blobs(connection)
    if is_unknown:
        told = store.identity()  # whoever makes it meanwhile puts its blobs after that
        is_unknown = told is None
    for where, other in (("the settings", settings), ("the store", told)):
        if other is not None and other != key:
            raise WorkspaceError(
                f"{root}: {name} is the database of another workspace than {where}: name the right "
                "one (`database` in dataengine.toml), or put it back from a backup; nothing was "
                "changed"
            )
    if is_unknown:
        raise WorkspaceError(
            f"{root}: {name} knows none of the blobs in the store: it is new, or another one; put "
            "the right one back from a backup, or move the store away; nothing was changed"
        )
    return key


def require_same_store(engine: Engine, store: Store, root: Path) -> None:
    """Hold the store's token against the one that the database knows.

    Two folders may name one database, and then share its key; their stores are two all the same.

    Raises:
        WorkspaceError: the blobs that the database names are in another store.
    """
    with reader(engine).begin() as connection:
        known = store_known_to(connection)
        is_needed = names_blobs(connection)
    told = store.token()
    if known is None or told == known:
        return
    # A token that was lost is written again, but not where the store itself is lost.
    if told is None and not is_needed:
        return
    if told is None and (store.identity() is not None or has_any(store.keys())):
        return
    raise _another_store(engine, root)


def claim(engine: Engine, store: Store, root: Path) -> None:
    """Let the database know the store, unless it knows one.

    Raises:
        WorkspaceError: it knows another, or the store cannot be written.
    """
    with reader(engine).begin() as connection:
        known = store_known_to(connection)
    token = store.mark(known or secrets.token_hex(8))

    def enter(connection: Connection) -> str | None:
        unclaimed = sa.update(WorkspaceRow).where(WorkspaceRow.store.is_(None))
        connection.execute(unclaimed.values(store=token))
        return store_known_to(connection)

    if known != token and transact(engine, enter) != token:
        raise _another_store(engine, root)


def store_known_to(connection: Connection) -> str | None:
    """Token of the store whose blobs a database names; None: it knows none yet."""
    return connection.scalars(sa.select(WorkspaceRow.store)).one()


def _another_store(engine: Engine, root: Path) -> WorkspaceError:
    return WorkspaceError(
        f"{root}: the blobs that {display_name(engine)} names are in another store than this "
        "workspace's: name that one (`url` in [store] of dataengine.toml), put the folder `store` "
        "back, or make a workspace with a database of its own; nothing was changed"
    )


def require_not_lost(engine: Engine, store: Store, settings: str | None, root: Path) -> None:
    """Refuse a database without tables where there was one.

    Raises:
        WorkspaceError: the settings or the store say that there was.
    """
    if settings is not None or store.identity() is not None or has_any(store.keys()):
        raise WorkspaceError(
            f"{root}: the database {display_name(engine)} of this workspace is lost (missing or "
            "empty): put it back, or make the workspace anew from a backup with `dataengine "
            "restore`; nothing was changed"
        )


def adopt(settings: Path, store: Store, key: str) -> None:
    """Write the key where an older program left it out, as far as that can be written.

    Raises:
        WorkspaceError: the store cannot be written.
    """
    if store.identity() is None:
        store.identify(key)
    try:
        text = settings.read_text(encoding="utf-8")
        if "id" not in tomllib.loads(text):
            temporary = settings.with_name(f".{settings.name}.{os.getpid()}")
            temporary.write_text(KEY_LINE.format(key=key) + text, encoding="utf-8")
            temporary.replace(settings)
    except (OSError, ValueError):
        # Settings that are read-only, or not text: database and store still hold the key.
        return


def names_blobs(connection: Connection) -> bool:
    """Whether any row names a blob."""
    return any(
        connection.scalar(sa.select(sa.literal(1)).where(column.is_not(None)).limit(1))
        for column in blob_columns()
    )


def blob_columns() -> list[sa.Column[str]]:
    """Every column that holds keys of blobs, of every table."""
    return [
        column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name == "blob" or column.name.endswith("_blob")
    ]


def has_any(items: Iterable[object]) -> bool:
    """Whether there is one."""
    return next(iter(items), None) is not None
