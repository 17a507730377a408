"""Where the server, which may see our folders elsewhere, finds the crops."""

import posixpath
from urllib.parse import quote

from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace


def image_url(workspace: Workspace, blob: str) -> str:
    """Where a reviewer's browser finds a crop, relative to the server.

    Args:
        workspace: whose settings say how the server sees it.
        blob: store key.
    """
    store = _store(workspace)
    root = workspace.settings.review.document_root or store
    return f"/data/local-files/?d={quote(posixpath.relpath(posixpath.join(store, blob), root))}"


def portraits_on_server(workspace: Workspace) -> str:
    """The only folder that a project serves: crops, not masks."""
    return posixpath.join(_store(workspace), BlobKind.PORTRAIT)


def _store(workspace: Workspace) -> str:
    return workspace.settings.review.store_on_server or str(workspace.paths.store)
