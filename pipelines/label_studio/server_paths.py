"""Where the server, which may see our folders elsewhere, finds the crops."""

import posixpath
from urllib.parse import quote, urlsplit

from pipelines.label_studio.errors import ReviewError
from pipelines.workspace.store import BlobKind, path_below
from pipelines.workspace.workspace import Workspace


def image_url(workspace: Workspace, url: str, blob: str) -> str:
    """Where a reviewer's browser finds a crop, relative to the server's host.

    Args:
        workspace: whose settings say how the server sees it.
        url: of the server, as browsers know it: its path, if it has one, is part of the answer,
            since Label Studio hands on to the browser what stands in a task.
        blob: store key.
    """
    store = _store(workspace)
    root = workspace.settings.review.document_root or store
    file = quote(posixpath.relpath(path_below(store, blob), root))
    return f"{urlsplit(url).path.rstrip('/')}/data/local-files/?d={file}"


def portraits_on_server(workspace: Workspace) -> str:
    """The only folder that a project serves: crops, not masks."""
    return path_below(_store(workspace), BlobKind.PORTRAIT)


def _store(workspace: Workspace) -> str:
    there = workspace.settings.review.store_on_server or workspace.store.local_root
    if there is None:
        raise ReviewError(
            "the crops are in no folder that a server could read: mount the store where Label "
            "Studio runs, and set `store_on_server` in `[review]`"
        )
    return str(there)
