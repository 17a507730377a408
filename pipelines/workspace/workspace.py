"""A workspace: settings, database, blobs, and who is working in it."""

import os
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from sqlalchemy.engine import URL, Engine

from db import (
    display_name,
    open_engine,
    open_to_read,
    owners,
    parse_url,
    queue,
    reader,
    schema,
    transact,
)
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.identity import (
    KEY_LINE,
    adopt,
    claim,
    names_blobs,
    require_not_lost,
    require_same,
    require_same_store,
    store_known_to,
)
from pipelines.workspace.intents import DatabaseIntents, FileIntents, Intents
from pipelines.workspace.own_files import SETTINGS_FILE
from pipelines.workspace.owners import Presence, give_up_for_the_dead
from pipelines.workspace.settings import Settings
from pipelines.workspace.sources import Sources
from pipelines.workspace.spool import Spool
from pipelines.workspace.store import Store, storage_message
from pipelines.workspace.which_store import store_of

DATABASE_FILE = "dataengine.db"


@dataclass(frozen=True)
class WorkspacePaths:
    """Where things are in a workspace folder."""

    root: Path

    @property
    def settings(self) -> Path:
        """The settings file; its presence makes a folder a workspace."""
        return self.root / SETTINGS_FILE

    @property
    def store(self) -> Path:
        """Blobs."""
        return self.root / "store"

    @property
    def spool(self) -> Path:
        """What was fetched from elsewhere, until `ingest` ends."""
        return self.root / "spool"

    @property
    def releases(self) -> Path:
        """Frozen datasets of the rounds."""
        return self.root / "releases"

    @property
    def runs(self) -> Path:
        """Training runs of the rounds."""
        return self.root / "runs"

    @property
    def locks(self) -> Path:
        """Lock files of the processes at work."""
        return self.root / "locks"

    @property
    def exists(self) -> bool:
        """Whether the folder is a workspace."""
        return self.settings.is_file()


class Workspace:
    """An opened workspace. Not shared between processes: each opens its own.

    Opened to read, it changes nothing on the disk and waits for nobody; then there are no
    `presence`, `owner` and `intents`, and nothing can be put into the store.

    Attributes:
        paths: its files and folders.
        settings: what holds in it.
        read_only: opened to read.
        engine: the database, at the current schema.
        presence: who is alive: this process, and what it knows of the others.
        owner: this process's name, in jobs and temporary files.
        intents: blobs that this process has put and no row names yet.
        store: its blobs.
    """

    presence: Presence
    owner: str
    intents: Intents

    def __init__(self, root: Path, settings: Settings, *, read_only: bool = False) -> None:
        """Open an existing workspace; to write, an older database is upgraded.

        Args:
            root: its folder.
            settings: what holds in it.
            read_only: open it to read.

        Raises:
            WorkspaceError: the folder is not a workspace or cannot be written; its database is
                lost, or another workspace's; or it is an older program's and opened to read.
            db.DatabaseError: the database cannot be opened or is newer than this program.
        """
        self.paths = WorkspacePaths(root.absolute())
        if not self.paths.exists:
            raise WorkspaceError(f"{root}: not a workspace; make one with `dataengine init {root}`")
        self.settings = settings
        self.read_only = read_only
        url = database_url(self.paths, settings)
        self.engine: Engine
        if read_only:
            self.engine, self._close = open_to_read(url)
        else:
            self.engine = open_engine(url)
            self._close = self.engine.dispose
        self.store: Store = store_of(self.paths.store, settings, "", _refuse_to_note)
        try:
            self._open_to_read() if read_only else self._open_to_write()
        except BaseException:
            self.engine.dispose()
            raise

    def _open_to_read(self) -> None:
        state = self._require_tables()
        if state is schema.State.OLDER:
            raise WorkspaceError(
                f"{self.paths.root}: was last written by an older dataengine: `dataengine upgrade` "
                "brings it up to date"
            )
        require_same(self.engine, self.store, self.settings.id, self.paths.root)
        require_same_store(self.engine, self.store, self.paths.root)

    def _open_to_write(self) -> None:
        self._require_tables()
        schema.upgrade(self.engine)
        key = require_same(self.engine, self.store, self.settings.id, self.paths.root)
        require_same_store(self.engine, self.store, self.paths.root)
        try:
            self.presence = Presence(self.engine, self.paths.locks)
        except OSError as error:
            raise WorkspaceError(storage_message(self.paths.locks, error)) from error
        self.owner = self.presence.name
        if self.settings.store.url is None or self.engine.dialect.name == "sqlite":
            self.intents = FileIntents(self.paths.locks, self.owner)
        else:
            self.intents = DatabaseIntents(self.engine, self.owner)
        self.store = store_of(self.paths.store, self.settings, self.owner, self.intents.note)
        adopt(self.paths.settings, self.store, key)
        claim(self.engine, self.store, self.paths.root)

    def _require_tables(self) -> schema.State:
        """Tables are made by `make_workspace` alone."""
        state = schema.state(self.engine)
        if state in (schema.State.MISSING, schema.State.EMPTY):
            require_not_lost(self.engine, self.store, self.settings.id, self.paths.root)
            raise WorkspaceError(
                f"{self.paths.root}: has no database yet; the first `dataengine ingest` makes it"
            )
        return state

    def clear_up_after_the_dead(self) -> int:
        """Give back what killed processes held, and remove what they were writing.

        Returns:
            The number of jobs given back.
        """
        released, dead = give_up_for_the_dead(self.engine, self.presence)
        for name in dead:
            self._forget_files_of(name)
        return released

    def bury(self, name: str) -> None:
        """Forget a process that was seen to die, once its jobs are given back."""
        transact(self.engine, lambda connection: owners.leave(connection, name))
        self._forget_files_of(name)

    def others_at_work(self) -> list[str]:
        """Processes that have this workspace open to write and may be alive, but this one.

        Takes some seconds where it has to be listened for their heartbeats.
        """
        names = set(transact(reader(self.engine), owners.present)) - {self.owner}
        self.presence.wait_until_known(names)
        there = transact(reader(self.engine), owners.present)
        names = set(there) - {self.owner}
        return sorted(names - set(self.presence.dead(names, there)))

    @cached_property
    def sources(self) -> Sources:
        """Reads sources; the spool is this workspace's, unless it was opened to read."""
        spool = Spool(self.paths.spool, self.settings.crawls.spool_bytes)
        return Sources(self.settings, None if self.read_only else spool)

    def settle(self) -> None:
        """Say that all blobs this process has put are named by committed rows, or never will be."""
        self.intents.settle()

    def reopener(self) -> "partial[Workspace]":
        """Opens it again for another worker, in this process or another."""
        return partial(Workspace, self.paths.root, self.settings)

    def close(self) -> None:
        """Give back what this process still holds and leave.

        Raises:
            db.DatabaseError: it was opened to read, and was written to in a way that could not be
                seen.
        """
        if self.read_only:
            self._close()
            return
        self.intents.close()
        transact(self.engine, lambda connection: queue.release(connection, self.owner))
        self.presence.release()
        self._close()

    def _forget_files_of(self, name: str) -> None:
        self.store.discard_temporaries(name)
        self.intents.forget(name)
        self.presence.remove_lock(name)


def make_workspace(root: Path, settings_text: str, settings: Settings | None = None) -> None:
    """Turn a folder into a workspace; it may exist and hold other things.

    Args:
        root: the folder.
        settings_text: content of its `dataengine.toml`; the workspace's key is written above it.
        settings: what holds where it is made: the database's place; None: the defaults.

    Raises:
        WorkspaceError: it is a workspace already, or cannot be written; or the database is another
            workspace's.
    """
    paths = WorkspacePaths(root)
    if paths.exists:
        raise WorkspaceError(f"{root}: already a workspace; nothing was changed")
    try:
        root.mkdir(parents=True, exist_ok=True)
        _make_folder_of_blobs(paths, settings or Settings())
        key = _make_database(paths, settings or Settings())
        # Last and exclusively: its presence says that the workspace is complete.
        _write_exclusively(paths.settings, KEY_LINE.format(key=key) + settings_text)
    except FileExistsError as error:
        if not paths.exists:
            raise WorkspaceError(f"{error.filename}: is a file; a folder is needed") from None
    except OSError as error:
        raise WorkspaceError(storage_message(root, error)) from error


def complete_workspace(root: Path, settings: Settings) -> bool:
    """Make the tables for settings that somebody wrote by hand; True if there were none.

    Raises:
        WorkspaceError: there were tables once, or they cannot be made.
    """
    paths = WorkspacePaths(root)
    engine = open_engine(database_url(paths, settings))
    try:
        state = schema.state(engine)
        if state not in (schema.State.MISSING, schema.State.EMPTY):
            return False
        store = store_of(paths.store, settings, "")
        require_not_lost(engine, store, settings.id, root)
    finally:
        engine.dispose()
    try:
        _make_folder_of_blobs(paths, settings)
        adopt(paths.settings, store, _make_database(paths, settings))
    except OSError as error:
        raise WorkspaceError(storage_message(root, error)) from error
    return True


def database_url(paths: WorkspacePaths, settings: Settings) -> URL:
    """SQLAlchemy URL of the workspace's database; a relative path is the workspace's."""
    if not settings.database:
        return URL.create("sqlite", database=str(paths.root / DATABASE_FILE))
    url = parse_url(settings.database)
    name = url.database or ""
    if url.get_backend_name() == "sqlite" and not name.startswith("file:"):
        return url.set(database=str(paths.root / name))
    return url


def _make_database(paths: WorkspacePaths, settings: Settings) -> str:
    """Make the tables, and give the store their key; what a killed `init` left is completed."""
    store = store_of(paths.store, settings, f"init-{os.getpid()}")
    engine = open_engine(database_url(paths, settings))
    try:
        schema.upgrade(engine)
        key = require_same(engine, store, None, paths.root)
        if store.identity() is None:
            with reader(engine).begin() as connection:
                is_used = names_blobs(connection) or store_known_to(connection)
            # Whoever makes it at the same time tells the store first, and the database then.
            if is_used and store.identity() is None:
                raise WorkspaceError(
                    f"{paths.root}: {display_name(engine)} is the database of another "
                    "workspace; name a new one, or put the settings and the store back that "
                    "belong to it"
                )
            store.identify(key)
        claim(engine, store, paths.root)
    finally:
        engine.dispose()
    return key


def _make_folder_of_blobs(paths: WorkspacePaths, settings: Settings) -> None:
    if settings.store.url is None:
        paths.store.mkdir(exist_ok=True)


def _refuse_to_note(key: str) -> None:
    raise WorkspaceError(f"{key}: nothing is put into a store that was opened to read")


def _write_exclusively(path: Path, text: str) -> None:
    """Make a file with all of its content or not at all; FileExistsError if it is there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
