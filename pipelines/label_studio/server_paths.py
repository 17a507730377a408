"""Where the server, which may see our folders elsewhere, finds the crops."""

import posixpath
from urllib.parse import quote

from pipelines.label_studio.errors import ReviewError
from pipelines.workspace.store import BlobKind, path_below
from pipelines.workspace.workspace import Workspace


def image_url(workspace: Workspace, blob: str) -> str:
    """Where a reviewer's browser finds a crop, relative to the server.

    Args:
        workspace: whose settings say how the server sees it.
        blob: store key.
    """
    store = _store(workspace)
    root = workspace.settings.review.document_root or store
    return f"/data/local-files/?d={quote(posixpath.relpath(path_below(store, blob), root))}"


def portraits_on_server(workspace: Workspace) -> str:
    """The only folder that a project serves: crops, not masks."""
    return path_below(_store(workspace), BlobKind.PORTRAIT)


def _store(workspace: Workspace) -> str:
    there = workspace.settings.review.store_on_server or workspace.store.local_root
    if there is None:
        raise ReviewError(
            "the crops are in no folder that a server could read: set `store_on_server` in "
            "`[review]`"
        )
    return str(there)
