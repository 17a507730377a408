"""A workspace's rows moved to another database: from a file to a server, or back."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from db import copy_rows, count_rows, display_name, open_engine, owners, parse_url, secrets_in
from pipelines.workspace.errors import BusyError, WorkspaceError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.settings_sources import with_database
from pipelines.workspace.store import storage_message
from pipelines.workspace.workspace import Workspace, database_url


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Where a workspace's rows are now.

    Attributes:
        rows: number of them; each was compared.
        old: the database that they were copied from, which is as it was.
        new: the one that the settings name now.
    """

    rows: int
    old: str
    new: str


def migrate_database(workspace: Workspace, url: str, progress: Progress = SILENT) -> Moved:
    """Copy all rows to an empty database, compare them, and let the settings name it.

    Nobody else may have the workspace open to write. Killed or refused at any moment before its
    end, the workspace is on the old database. The new one is empty then; if that moment was between
    its commit and the settings, it is a whole copy, which has to be emptied for another attempt.

    Args:
        workspace: opened to write.
        url: of the new database, as in the settings.
        progress: told of every piece that was copied, and that was compared.

    Raises:
        WorkspaceError: the URL holds a password; the environment names the database; or the
            settings cannot be written.
        BusyError: somebody is at work.
        db.DatabaseError: the new database is not empty, cannot be opened, or cannot hold a row.
    """
    settings = workspace.settings.model_copy(update={"database": url})
    target = open_engine(database_url(workspace.paths, settings))
    try:
        old, new = display_name(workspace.engine), display_name(target)
        if secrets_in(parse_url(url)):
            raise WorkspaceError(
                f"{new}: write it without its password, which would stand in dataengine.toml; it "
                "is read from PGPASSWORD or ~/.pgpass"
            )
        text = _settings_text(workspace)
        _require_alone(workspace)
        # Others that begin to work now wait until the settings are written.
        with workspace.engine.begin() as source:
            if set(owners.present(source)) - {workspace.owner}:
                raise _busy(workspace)
            number = count_rows(source)
            progress.begin(f"copying {old} to {new}, and comparing", 2 * number, "rows")
            rows = copy_rows(source, target, lambda _, done: progress.advance(done))
            _write(workspace.paths.settings, with_database(text, url))
    finally:
        target.dispose()
    return Moved(rows=rows, old=old, new=new)


def _settings_text(workspace: Workspace) -> str:
    """The settings file, if it is the one that says where the database is."""
    file = workspace.paths.settings
    text = file.read_text(encoding="utf-8")
    if tomllib.loads(text).get("database") != workspace.settings.database:
        raise WorkspaceError(
            f"{workspace.paths.root}: DATAENGINE_DATABASE names its database, not {file.name}: "
            "unset it first"
        )
    return text


def _require_alone(workspace: Workspace) -> None:
    workspace.clear_up_after_the_dead()
    if workspace.others_at_work():
        raise _busy(workspace)


def _busy(workspace: Workspace) -> BusyError:
    return BusyError(
        f"{workspace.paths.root}: others are at work, and would go on in the old database; wait "
        "for their end"
    )


def _write(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.moving")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise WorkspaceError(storage_message(file, error)) from error
