"""A workspace on a machine that has no folder of it: database and bucket are all it needs."""

from pathlib import Path

from db import parse_url, secrets_in, shown_url
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.identity import KEY_LINE
from pipelines.workspace.own_files import SETTINGS_FILE
from pipelines.workspace.settings import Settings
from pipelines.workspace.user_folders import cache_home
from pipelines.workspace.workspace import Workspace


class WorkspaceElsewhere(Workspace):
    """A workspace on such a machine: no photo stays there when its worker ends."""

    def close(self) -> None:
        """See `Workspace`."""
        self.sources.finish()
        super().close()


def require_shared(settings: Settings, wanted_by: str) -> None:
    """Refuse a workspace that only this machine can reach.

    Args:
        settings: of the workspace.
        wanted_by: the option that needs it, for messages.

    Raises:
        WorkspaceError: its rows are in a file, or its blobs in a folder.
    """
    url = parse_url(settings.database) if settings.database else None
    if url is None or url.get_backend_name() == "sqlite":
        raise WorkspaceError(
            f"{wanted_by}: the workspace's rows are in a file of this machine; move them to a "
            "server with `dataengine migrate-database postgresql://…`, or make a new workspace "
            "with `dataengine init --database postgresql://… --store s3://…`"
        )
    if settings.store.url is None:
        raise WorkspaceError(
            f"{wanted_by}: the workspace's blobs are in a folder of this machine; name a bucket as "
            "`url` in [store] of dataengine.toml, as docs/stores.md says"
        )


def without_secrets(settings: Settings) -> Settings:
    """What may travel: every machine has its credentials from its own environment."""
    if settings.database is None:
        return settings
    url = parse_url(settings.database)
    return settings.model_copy(update={"database": shown_url(url)}) if secrets_in(url) else settings


def open_elsewhere(settings: Settings) -> WorkspaceElsewhere:
    """Open a workspace of which this machine has no folder.

    What it keeps here (locks, photos on their way) is in the user's cache, one folder a workspace.

    Args:
        settings: of the workspace, with its id.

    Raises:
        WorkspaceError: the folder cannot be written; or as `Workspace`.
    """
    if settings.id is None:
        raise WorkspaceError(
            "the workspace's settings have no id: open it once with `dataengine status`"
        )
    root = cache_home() / "elsewhere" / settings.id
    file = root / SETTINGS_FILE
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _write_once(file, KEY_LINE.format(key=settings.id))
    except OSError as error:
        raise WorkspaceError(f"{root}: cannot be written ({error.strerror})") from error
    return WorkspaceElsewhere(root, settings)


def _write_once(file: Path, text: str) -> None:
    """Others of this machine may do the same."""
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        return
