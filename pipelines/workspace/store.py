"""Content-addressed blobs: a blob's key is its SHA-256, so it is written once and never changes."""

import errno
import hashlib
import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pipelines.workspace.errors import WorkspaceError


class BlobKind(StrEnum):
    """What a blob is: its folder within the store. The suffix lets other programs show it."""

    PORTRAIT = "portraits"  # crop of a portrait, JPEG
    MASK = "masks"  # 255 = portrait, 0 = background, 1-bit PNG
    PROBABILITY = "probabilities"  # person probability × 255, 8-bit PNG


_SUFFIX: dict[str, str] = {
    BlobKind.PORTRAIT: "jpg",
    BlobKind.MASK: "png",
    BlobKind.PROBABILITY: "png",
}
_T = TypeVar("_T")
_TEMPORARY = "tmp"
_PATIENCE_SECONDS = (0.02, 0.2, 0.5)
_KEY = re.compile(r"(\w+)/([0-9a-f]{2})/(\2[0-9a-f]{62})\.(\w+)")


def blob_key(kind: BlobKind, digest: str) -> str:
    """Key of the blob with this content: ``KIND/ab/abcd….SUFFIX``.

    Args:
        kind: of the blob.
        digest: SHA-256 of its bytes, in lower-case hexadecimal.
    """
    return f"{kind}/{digest[:2]}/{digest}.{_SUFFIX[kind]}"


def is_key(key: str) -> bool:
    """Whether this can be the key of a blob."""
    match = _KEY.fullmatch(key)
    return match is not None and _SUFFIX.get(match[1]) == match[4]


class Store:
    """Blobs in a local folder.

    A blob is written under a temporary name, flushed to disk and renamed, so that a key names a
    whole blob or none, whenever the process or the machine stops.
    """

    def __init__(self, root: Path, owner: str) -> None:
        """Open a store.

        Args:
            root: the folder; made when the first blob is written.
            owner: prefix of this process's temporary files, so that the leftovers of a dead
                process can be told from files that are being written.
        """
        self.root = root
        self._absolute = root.absolute()
        self._owner = owner
        self._serial = itertools.count()

    def put(self, kind: BlobKind, data: bytes) -> str:
        """Write a blob unless it is there, and return its key.

        Returns:
            ``KIND/ab/abcd….SUFFIX``, relative to the store's root.

        Raises:
            WorkspaceError: the blob could not be written, for instance because the disk is full.
        """
        key = blob_key(kind, hashlib.sha256(data).hexdigest())
        target = self.root / key
        temporary = self.root / _TEMPORARY / f"{self._owner}.{next(self._serial)}"
        try:
            if _is_there(target, len(data)):
                return key
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(storage_message(target, error)) from error
        return key

    def get(self, key: str) -> bytes:
        """Read a blob and check it against its key.

        Raises:
            WorkspaceError: the key leaves the store, or the blob is missing or damaged.
        """
        path = self.path(key)
        try:
            data = _patiently(path.read_bytes)
        except OSError as error:
            raise _unreadable(path, error) from error
        if hashlib.sha256(data).hexdigest() != path.stem:
            raise WorkspaceError(
                f"{path}: this blob is damaged: its content does not match its name"
            )
        return data

    def size(self, key: str) -> int:
        """Bytes of a blob, not looked at.

        Raises:
            WorkspaceError: the key leaves the store, or the blob is missing.
        """
        path = self.path(key)
        try:
            return _patiently(path.stat).st_size
        except OSError as error:
            raise _unreadable(path, error) from error

    def path(self, key: str) -> Path:
        """Absolute path of a blob.

        Raises:
            WorkspaceError: the key would lead out of the store.
        """
        # Text: of an export's time, taking `Path`s apart would be a tenth.
        if key.startswith("/") or ".." in key.split("/"):
            raise WorkspaceError(f"{key!r} is not a key of the store {self.root}")
        return self._absolute / key

    def remove(self, key: str, before: float) -> int | None:
        """Remove a blob that no row names, unless it was written or asked for since a time.

        A blob exists before the row that names it is committed, and `put` writes nothing where
        one is there: so whoever removes blobs must know that nobody who is at work has put this
        one. One that looks old is moved aside before its time is looked at again: a `put` that
        comes later writes it anew, one that came earlier has touched it, and then it is moved back.

        Args:
            key: of the blob.
            before: Unix time in seconds: see `owners.at_work_since`.

        Returns:
            Bytes that were freed; None if it was spared, or was not there.

        Raises:
            WorkspaceError: the key leaves the store, or the blob cannot be removed.
        """
        target = self.path(key)
        aside = self.root / _TEMPORARY / f"{self._owner}.{next(self._serial)}"
        try:
            if self.size_before(key, before) is None:
                return None  # not moved at all, if that can be helped: somebody may be reading it
            aside.parent.mkdir(parents=True, exist_ok=True)
            target.rename(aside)
            found = aside.stat()
            if found.st_mtime >= before:
                aside.rename(target)
                return None
            aside.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WorkspaceError(storage_message(target, error)) from error
        return found.st_size

    def size_before(self, key: str, before: float) -> int | None:
        """Bytes that `remove` would free; None if it would spare the blob."""
        try:
            found = self.path(key).stat()
        except FileNotFoundError:
            return None
        return found.st_size if found.st_mtime < before else None

    def keys(self) -> Iterator[str]:
        """Of the blobs that are there, in no order; other files that lie about are none."""
        for kind in BlobKind:
            for folder in (self.root / kind).glob("[0-9a-f][0-9a-f]"):
                keys = (f"{kind}/{folder.name}/{path.name}" for path in folder.iterdir())
                yield from (key for key in keys if is_key(key))

    def temporaries(self) -> list[tuple[str, Path]]:
        """Files that are being written, or were when their owner died: owner and path."""
        folder = self.root / _TEMPORARY
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted((path.name.rpartition(".")[0], path) for path in found)

    def discard_temporaries(self, owner: str) -> None:
        """Remove what a dead process was writing."""
        folder = self.root / _TEMPORARY
        if folder.is_dir():
            for leftover in folder.glob(f"{owner}.*"):
                leftover.unlink(missing_ok=True)


def _unreadable(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{path}: a blob that the database names cannot be read ({error.strerror})"
    )


def storage_message(path: Path, error: OSError) -> str:
    """One line for a failed write: what, where, what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: no space left on the disk; free some and run the same command again"
    return f"{path}: cannot be written ({error.strerror or error}); check the folder's permissions"


def _patiently(read: Callable[[], _T]) -> _T:
    """What is read of a blob; one that is missing may be aside for a moment: see `Store.remove`."""
    for seconds in _PATIENCE_SECONDS:
        try:
            return read()
        except FileNotFoundError:
            time.sleep(seconds)
    return read()


def _is_there(path: Path, size: int) -> bool:
    """Whether a blob needs not be written; touched, so that nobody takes it for an old one.

    Its row is not committed yet: see `Store.remove`.
    """
    try:
        if path.stat().st_size != size:
            return False
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
