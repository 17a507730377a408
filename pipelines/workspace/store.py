"""Content-addressed blobs: a blob's key is its SHA-256, so it is written once and never changes.

Here is what a store is, whatever keeps the bytes: `folder_store` keeps them in a local folder,
`object_store` in a bucket, `fake` in memory, where it fails on demand.
"""

import errno
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


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
_KEY = re.compile(r"(\w+)/([0-9a-f]{2})/(\2[0-9a-f]{62})\.(\w+)")


@dataclass(frozen=True, kw_only=True)
class Temporary:
    """A file that is being written, or was when its owner died.

    Attributes:
        owner: the process.
        size_bytes: of what there is of it.
    """

    owner: str
    size_bytes: int


class Store(Protocol):
    """Where blobs are kept.

    A key names a whole blob or none, whenever a process or the machine stops. Nothing outside
    makes a path or an address of a key.
    """

    @property
    def local_root(self) -> Path | None:
        """The folder that holds every blob under its key; None if there is no such folder."""

    def put(self, kind: BlobKind, data: bytes, *, anew: bool = False) -> str:
        """Write a blob unless it is there, and return its key.

        Args:
            kind: of the blob.
            data: its bytes.
            anew: write it over whatever is there, which is damaged.

        Returns:
            ``KIND/ab/abcd….SUFFIX``.

        Raises:
            WorkspaceError: it could not be written, for instance because the disk is full.
        """

    def get(self, key: str) -> bytes:
        """Read a blob and check it against its key.

        Raises:
            WorkspaceError: this is no key, or the blob is missing or damaged.
        """

    def size(self, key: str) -> int:
        """Bytes of a blob, not looked at.

        Raises:
            WorkspaceError: this is no key, or the blob is missing.
        """

    def sha256(self, key: str) -> tuple[str | None, int]:
        """Hash of what is there under a key, and its number of bytes; None: nothing is.

        Raises:
            WorkspaceError: this is no key, or what is there cannot be read.
        """

    def where(self, key: str) -> str:
        """Path or address of a blob, for people and other programs.

        Raises:
            WorkspaceError: this is no key.
        """

    def local_path(self, key: str) -> Path | None:
        """Absolute path of a blob; None if it is in no folder of this machine.

        Raises:
            WorkspaceError: this is no key.
        """

    def copy(self, key: str, target: Path, *, link: bool = False) -> None:
        """Make a file of a blob that is checked against its key.

        Args:
            key: of the blob.
            target: must not be there; its folder must.
            link: share the bytes by a hard link where that is possible, for what is never written
                to.

        Raises:
            WorkspaceError: as `get`.
            OSError: the file cannot be made.
        """

    def keys(self) -> Iterator[str]:
        """Of the blobs that are there, in no order; other files that lie about are none."""

    def version(self, key: str) -> str | None:
        """Something that writing the blob changes; None: it is not there.

        Raises:
            WorkspaceError: this is no key.
        """

    def remove_all(
        self, versions: Mapping[str, str], wanted: Callable[[Sequence[str]], set[str]]
    ) -> dict[str, int]:
        """Remove blobs, unless they were put since they had these versions.

        Args:
            versions: by key.
            wanted: tells which of some keys a row names, or somebody at work has noted. Where a
                `put` leaves no trace on a blob that is there, it is asked once they are gone, and
                those come back.

        Returns:
            Bytes that were freed, by key: without those that stayed, or were not there.

        Raises:
            WorkspaceError: this is no key, or a blob cannot be removed.
        """

    def identity(self) -> str | None:
        """Key of the workspace that the blobs belong to; None: nobody has said so yet."""

    def identify(self, key: str) -> None:
        """Say to which workspace the blobs belong.

        Raises:
            WorkspaceError: it cannot be written.
        """

    def token(self) -> str | None:
        """What tells this store from any other of the same workspace; None: nothing yet."""

    def mark(self, token: str) -> str:
        """Give the store a token, unless it has one.

        Returns:
            The one that it has now.

        Raises:
            WorkspaceError: it cannot be written.
        """

    def temporaries(self) -> list[Temporary]:
        """What is being written, or was when its owner died."""

    def discard_temporaries(self, owner: str) -> None:
        """Remove what a dead process was writing."""


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


def digest_of(key: str) -> str:
    """SHA-256 that a key says its blob has."""
    return posixpath.basename(key).partition(".")[0]


def removed_each(
    remove: Callable[[str, str], int | None], versions: Mapping[str, str]
) -> dict[str, int]:
    """What `Store.remove_all` returns where each `put` leaves a trace, so that nobody is asked."""
    freed = {key: remove(key, version) for key, version in versions.items()}
    return {key: size for key, size in freed.items() if size is not None}


def path_below(root: str, key: str) -> str:
    """Path of a blob, or of a kind's folder, where another machine sees the store's folder."""
    return posixpath.join(root, key)


def storage_message(path: Path, error: OSError) -> str:
    """One line for a failed write: what, where, what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: no space left on the disk; free some and run the same command again"
    return f"{path}: cannot be written ({error.strerror or error}); check the folder's permissions"
