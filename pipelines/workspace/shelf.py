"""Files of a workspace that can be made again: named, whole or not there, in its folder or bucket.

They lie beside the blobs, where every machine that works for the workspace finds them. No row
names them, so whoever reads them has to see that they still fit; who lacks one makes it again.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.object_access import Bucket, open_place
from pipelines.workspace.object_errors import MissingObjectError
from pipelines.workspace.object_places import parse_place
from pipelines.workspace.settings import Settings
from pipelines.workspace.store import storage_message


class Shelf(Protocol):
    """Where such files are. Names are plain, without folders."""

    def names(self) -> Iterator[str]:
        """Of the files that are there, in no order."""

    def read(self, name: str) -> bytes | None:
        """What is in a file; None: it is not there.

        Raises:
            WorkspaceError: it cannot be read.
        """

    def create(self, name: str, data: bytes) -> bool:
        """Make a file, unless there is one; False: there is.

        Raises:
            WorkspaceError: it cannot be written.
        """

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""


class FolderShelf:
    """See `Shelf`."""

    def __init__(self, root: Path) -> None:
        """It is made with its first file."""
        self._root = root

    def names(self) -> Iterator[str]:
        """See `Shelf`."""
        found = self._root.iterdir() if self._root.is_dir() else ()
        return (each.name for each in found if not each.name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """See `Shelf`."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WorkspaceError(
                f"{self._root / name}: cannot be read ({error.strerror or error})"
            ) from error

    def create(self, name: str, data: bytes) -> bool:
        """See `Shelf`."""
        target = self._root / name
        temporary = self._root / f".{secrets.token_hex(8)}"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                target.hardlink_to(temporary)
            finally:
                temporary.unlink(missing_ok=True)
        except FileExistsError:
            return False
        except OSError as error:
            raise WorkspaceError(storage_message(target, error)) from error
        return True

    def remove(self, name: str) -> None:
        """See `Shelf`."""
        (self._root / name).unlink(missing_ok=True)


class BucketShelf:
    """See `Shelf`."""

    def __init__(self, bucket: Bucket) -> None:
        """Nothing is asked of the bucket yet."""
        self._bucket = bucket

    def names(self) -> Iterator[str]:
        """See `Shelf`."""
        return (each.path for each in self._bucket.list())

    def read(self, name: str) -> bytes | None:
        """See `Shelf`."""
        try:
            return self._bucket.read(name)
        except MissingObjectError:
            return None

    def create(self, name: str, data: bytes) -> bool:
        """See `Shelf`."""
        return self._bucket.create(name, data)

    def remove(self, name: str) -> None:
        """See `Shelf`."""
        self._bucket.delete(name)


def shelf_of(root: Path, settings: Settings, name: str) -> Shelf:
    """The shelf of this name: in the workspace's bucket, or else in its folder `cache`.

    Args:
        root: of the workspace.
        settings: of the workspace.
        name: of the shelf, plain.
    """
    if settings.store.url is None:
        return FolderShelf(root / "cache" / name)
    place = parse_place(settings.store.url)
    prefix = f"{place.prefix}/{name}" if place.prefix else name
    return BucketShelf(open_place(replace(place, prefix=prefix)))
