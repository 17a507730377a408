"""What tests do to blobs behind a workspace's back, whether they are in a folder or in a bucket."""

from collections.abc import Callable

from pipelines.workspace.object_places import parse_place
from pipelines.workspace.workspace import Workspace


def lose(workspace: Workspace, key: str) -> None:
    """As if somebody had removed a blob."""
    path = workspace.store.local_path(key)
    if path is not None:
        path.unlink()
    else:
        _in_its_bucket(workspace, key, "delete_object")


def damage(workspace: Workspace, key: str) -> None:
    """As if a byte in its middle had changed."""
    path = workspace.store.local_path(key)
    if path is not None:
        path.write_bytes(_changed(path.read_bytes()))
    else:
        data = _in_its_bucket(workspace, key, "get_object")["Body"].read()
        _in_its_bucket(workspace, key, "put_object", Body=_changed(data))


def is_there(workspace: Workspace, key: str) -> bool:
    """Whether anything is under a key, good or damaged."""
    return workspace.store.sha256(key)[0] is not None


def _changed(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _in_its_bucket(workspace: Workspace, key: str, method: str, **more: bytes) -> dict:  # type: ignore[type-arg]
    from tests.object_storage import server

    place = parse_place(str(workspace.settings.store.url))
    ask: Callable[..., dict] = getattr(server().client, method)  # type: ignore[type-arg]
    return ask(Bucket=place.bucket, Key=f"{place.prefix}/{key}", **more)
