"""Content-addressed blobs: a blob's key is its SHA-256, so it is written once and never changes."""

import errno
import hashlib
import itertools
import os
from enum import StrEnum
from pathlib import Path

from pipelines.errors import WorkspaceError


class BlobKind(StrEnum):
    """What a blob is: its folder within the store. The suffix lets other programs show it."""

    PORTRAIT = "portraits"  # crop of a portrait, JPEG
    MASK = "masks"  # 255 = portrait, 0 = background, 1-bit PNG
    PROBABILITY = "probabilities"  # person probability × 255, 8-bit PNG


_SUFFIX = {BlobKind.PORTRAIT: "jpg", BlobKind.MASK: "png", BlobKind.PROBABILITY: "png"}
_TEMPORARY = "tmp"


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
            if _has_size(target, len(data)):
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
            data = path.read_bytes()
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
            return path.stat().st_size
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

    def discard_temporaries(self, owner: str) -> None:
        """Remove what a dead process was writing."""
        folder = self.root / _TEMPORARY
        if folder.is_dir():
            for leftover in folder.glob(f"{owner}.*"):
                leftover.unlink(missing_ok=True)


def blob_key(kind: BlobKind, sha256: str) -> str:
    """Key of the blob with this content."""
    return f"{kind}/{sha256[:2]}/{sha256}.{_SUFFIX[kind]}"


def _unreadable(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{path}: a blob that the database names cannot be read ({error.strerror})"
    )


def storage_message(path: Path, error: OSError) -> str:
    """One line for a failed write: what, where, what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: no space left on the disk; free some and run the same command again"
    return f"{path}: cannot be written ({error.strerror or error}); check the folder's permissions"


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
