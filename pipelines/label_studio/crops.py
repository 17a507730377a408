"""How the server, which may see our folders elsewhere, hands the crops to reviewers' browsers."""

import posixpath
from urllib.parse import quote, urlsplit

from pipelines.label_studio.errors import ReviewError
from pipelines.label_studio.gateway import ServedBucket, ServedFolder
from pipelines.workspace.object_places import Place, parse_place
from pipelines.workspace.store import BlobKind, path_below
from pipelines.workspace.workspace import Workspace


def image_url(workspace: Workspace, url: str, blob: str) -> str:
    """What stands in a task for its crop.

    Args:
        workspace: whose settings say how the server sees it.
        url: of the server, as browsers know it: its path, if it has one, is part of a file's
            address, since Label Studio hands on to the browser what stands in a task.
        blob: store key.

    Returns:
        An address relative to the server's host; of a blob in a bucket ``s3://…``, which the
        server fetches itself.

    Raises:
        ReviewError: the server can read it neither in a folder nor in a bucket.
    """
    folder = _folder(workspace)
    if folder is None:
        _bucket(workspace)
        return workspace.store.where(blob)
    root = workspace.settings.review.document_root or folder
    file = quote(posixpath.relpath(path_below(folder, blob), root))
    return f"{urlsplit(url).path.rstrip('/')}/data/local-files/?d={file}"


def served(workspace: Workspace) -> ServedFolder | ServedBucket:
    """The only place that a project serves: crops, not masks.

    Raises:
        ReviewError: see `image_url`.
    """
    folder = _folder(workspace)
    if folder is not None:
        return ServedFolder(path_below(folder, BlobKind.PORTRAIT))
    place = _bucket(workspace)
    return ServedBucket(place.bucket, path_below(place.prefix, BlobKind.PORTRAIT) + "/")


def _folder(workspace: Workspace) -> str | None:
    """The store as the server sees it; None: in no folder."""
    there = workspace.settings.review.store_on_server or workspace.store.local_root
    return None if there is None else str(there)


def _bucket(workspace: Workspace) -> Place:
    """The store, which the server reads by itself."""
    place = parse_place(workspace.settings.store.url) if workspace.settings.store.url else None
    if place is None or place.scheme != "s3":
        raise ReviewError(
            "the crops are in no folder that a server could read: mount the store where Label "
            "Studio runs, and set `store_on_server` in `[review]`; one in s3:// needs no mount"
        )
    return place
