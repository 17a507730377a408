"""Which store a workspace has, as its settings say."""

from collections.abc import Callable
from pathlib import Path

from pipelines.workspace.blob_cache import BlobCache
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.object_places import WEB, parse_place
from pipelines.workspace.object_store import ObjectStore
from pipelines.workspace.settings import Settings
from pipelines.workspace.store import Store
from pipelines.workspace.user_folders import cache_home


def store_of(
    folder: Path, settings: Settings, owner: str, note: Callable[[str], None] | None = None
) -> Store:
    """Open the blobs of a workspace; nothing is asked of a bucket yet.

    Args:
        folder: of the blobs, if no bucket is named.
        settings: of the workspace.
        owner: this process: see `FolderStore`.
        note: told each key before it is put.

    Raises:
        WorkspaceError: the settings name no place for blobs.
    """
    if settings.store.url is None:
        return FolderStore(folder, owner, note)
    place = parse_place(settings.store.url)
    if place.scheme in WEB:
        raise WorkspaceError(
            f"{place.url}: nothing can be written to a web server; blobs go to s3://, gs:// or az://"
        )
    return ObjectStore(place, owner, note, _cache(settings))


def _cache(settings: Settings) -> BlobCache | None:
    if not settings.store.cache_bytes or settings.id is None:
        return None
    if settings.store.cache_folder is not None:
        folder = Path(settings.store.cache_folder).expanduser() / settings.id
    else:
        folder = cache_home() / settings.id
    return BlobCache(folder, settings.store.cache_bytes)
