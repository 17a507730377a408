"""A workspace: settings, database, blobs, and who is working in it."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.engine import URL, Engine, make_url

from db import open_engine, owners, queue, schema
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.intents import Intents
from pipelines.workspace.owners import Presence
from pipelines.workspace.settings import Settings
from pipelines.workspace.store import Store, storage_message

SETTINGS_FILE = "dataengine.toml"
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

    Attributes:
        paths: its files and folders.
        settings: what holds in it.
        engine: the database, at the current schema.
        presence: who is alive: this process, and what it knows of the others.
        owner: this process's name, in jobs and temporary files.
        intents: blobs that this process has put and no row names yet.
        store: its blobs.
    """

    def __init__(self, root: Path, settings: Settings) -> None:
        """Open an existing workspace, upgrading an older database.

        Raises:
            WorkspaceError: the folder is not a workspace or cannot be written.
            db.DatabaseError: the database cannot be opened or is newer than this program.
        """
        self.paths = WorkspacePaths(root.absolute())
        if not self.paths.exists:
            raise WorkspaceError(f"{root}: not a workspace; make one with `dataengine init {root}`")
        self.settings = settings
        self.engine: Engine = open_engine(database_url(self.paths, settings))
        schema.upgrade(self.engine)
        try:
            self.presence = Presence(self.engine, self.paths.locks)
        except OSError as error:
            raise WorkspaceError(storage_message(self.paths.locks, error)) from error
        self.owner = self.presence.name
        self.intents = Intents(self.paths.locks, self.owner)
        self.store: Store = FolderStore(self.paths.store, self.owner, self.intents.note)

    def clear_up_after_the_dead(self) -> int:
        """Give back what killed processes held, and remove what they were writing.

        Returns:
            The number of jobs given back.
        """
        with self.engine.begin() as connection:
            there = owners.present(connection)
            names = {*there, *queue.owners(connection), *self.presence.abandoned()}
            dead = self.presence.dead(names, there)
            released = sum(queue.lost(connection, name) for name in dead)
            released += queue.reap_expired(connection)
            for name in dead:
                owners.leave(connection, name)
        for name in dead:
            self._forget_files_of(name)
        return released

    def bury(self, name: str) -> None:
        """Forget a process that was seen to die, once its jobs are given back."""
        with self.engine.begin() as connection:
            owners.leave(connection, name)
        self._forget_files_of(name)

    def others_at_work(self) -> list[str]:
        """Processes that have this workspace open to write and may be alive, but this one.

        Takes some seconds where it has to be listened for their heartbeats.
        """
        with self.engine.connect() as connection:
            names = set(owners.present(connection)) - {self.owner}
        self.presence.wait_until_known(names)
        with self.engine.connect() as connection:
            there = owners.present(connection)
        names = set(there) - {self.owner}
        return sorted(names - set(self.presence.dead(names, there)))

    def settle(self) -> None:
        """Say that all blobs this process has put are named by committed rows, or never will be."""
        self.intents.settle()

    def reopener(self) -> "partial[Workspace]":
        """Opens it again for another worker, in this process or another."""
        return partial(Workspace, self.paths.root, self.settings)

    def close(self) -> None:
        """Give back what this process still holds and leave."""
        self.intents.close()
        with self.engine.begin() as connection:
            queue.release(connection, self.owner)
        self.presence.release()
        self.engine.dispose()

    def _forget_files_of(self, name: str) -> None:
        self.store.discard_temporaries(name)
        self.intents.forget(name)
        self.presence.remove_lock(name)


def make_workspace(root: Path, settings_text: str) -> None:
    """Turn a folder into a workspace; it may exist and hold other things.

    Args:
        root: the folder.
        settings_text: content of its `dataengine.toml`.

    Raises:
        WorkspaceError: it is a workspace already, or cannot be written.
    """
    paths = WorkspacePaths(root)
    if paths.exists:
        raise WorkspaceError(f"{root}: already a workspace; nothing was changed")
    try:
        root.mkdir(parents=True, exist_ok=True)
        paths.store.mkdir(exist_ok=True)
        # Last and exclusively: its presence says that the workspace is complete.
        _write_exclusively(paths.settings, settings_text)
    except FileExistsError as error:
        if not paths.exists:
            raise WorkspaceError(f"{error.filename}: is a file; a folder is needed") from None
    except OSError as error:
        raise WorkspaceError(storage_message(root, error)) from error


def database_url(paths: WorkspacePaths, settings: Settings) -> URL:
    """SQLAlchemy URL of the workspace's database."""
    if settings.database:
        return make_url(settings.database)
    return URL.create("sqlite", database=str(paths.root / DATABASE_FILE))


def _write_exclusively(path: Path, text: str) -> None:
    """Make a file with all of its content or not at all; FileExistsError if it is there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
