"""What lies elsewhere, whoever keeps it: one protocol for buckets, the hub and the web.

An object is known by its version (its ETag, or what stands for one) and its size: both are had
without reading it.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol
from urllib.parse import quote

from pipelines.workspace.addresses import HUB, scheme_of
from pipelines.workspace.errors import ItemError
from pipelines.workspace.object_places import PROVIDERS
from pipelines.workspace.settings import CrawlSettings

_FIRST_WINDOW: Final = 64 * 1024
_LARGEST_WINDOW: Final = 4 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One object, as a listing or a question of its head tells it.

    Attributes:
        uri: of it.
        size: in bytes; None: its server does not say.
        version: changes whenever its bytes do; None: its server says nothing of the kind.
        ranges: parts of it can be asked for.
    """

    uri: str
    size: int | None
    version: str | None
    ranges: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFolder:
    """What is directly under a prefix that ends with a slash.

    Attributes:
        files: objects.
        folders: URIs of longer prefixes, with a slash at their ends.
        has_unnamed: there are objects below it whose names have an empty part (`//`), which
            nobody here can ask for.
    """

    files: Sequence[RemoteFile]
    folders: Sequence[str]
    has_unnamed: bool = False


class RemoteFiles(Protocol):
    """A kind of place elsewhere.

    All of it raises `ItemError` for what is one object's fault (`missing`, `unreadable`,
    `too_large`, `unreachable`), and `SourceError` for a bucket, repository or server that cannot
    be read at all. It may be used by several threads at once.
    """

    def find(self, uri: str) -> RemoteFile | None:
        """An object without its bytes; None if there is none of that name."""

    def folder(self, uri: str) -> RemoteFolder:
        """What is directly under a prefix; `ItemError` if others can be listed, and not this."""

    def read(self, uri: str, max_bytes: int) -> bytes:
        """All bytes of an object; they are as many as its server announced."""

    def read_range(self, file: RemoteFile, start: int, size: int) -> bytes:
        """Some bytes of an object, which must still have its version."""

    def save(self, file: RemoteFile, target: BinaryIO, max_bytes: int) -> None:
        """Write all bytes of an object to a local file, in one pass."""


def remote_files(uri: str, settings: CrawlSettings) -> RemoteFiles:
    """Who reads a URI.

    Raises:
        SourceError: the library that reads its kind is not installed.
    """
    if scheme_of(uri) in (*PROVIDERS, HUB):
        from pipelines.workspace.bucket_files import BucketFiles

        return BucketFiles(settings)
    from pipelines.workspace.web_files import WebFiles

    return WebFiles(settings)


class RangeFile(io.RawIOBase):
    """An object as a file that can be sought in: what is read is asked for, piece by piece.

    Pieces grow while reading goes forward, so that small members of an archive cost few requests
    and large ones are skipped.
    """

    def __init__(self, files: RemoteFiles, file: RemoteFile) -> None:
        """Nothing is read yet.

        Args:
            files: who reads it.
            file: which; its size is known.
        """
        assert file.size is not None
        self._files, self._file, self.size = files, file, file.size
        self._at = 0
        self._start, self._piece = 0, b""
        self._window = _FIRST_WINDOW

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere else; nothing is asked for."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Bytes from here on, fewer only at the end."""
        left = max(0, self.size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted == 0:
            return b""
        end = self._start + len(self._piece)
        if not (self._start <= self._at and self._at + wanted <= end):
            goes_on = self._at - self._start >= 0 and self._at - end < self._window
            self._window = (
                min(_LARGEST_WINDOW, 2 * self._window) if goes_on and end else _FIRST_WINDOW
            )
            ask = min(left, max(wanted, self._window))
            self._piece = self._files.read_range(self._file, self._at, ask)
            self._start = self._at
        begin = self._at - self._start
        data = self._piece[begin : begin + wanted]
        self._at += len(data)
        return data

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """The same, into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def missing(name: str) -> ItemError:
    """The error of an object that is not there."""
    return ItemError("missing", f"{name!r} does not exist (any more): check the address.")


def changed(name: str) -> ItemError:
    """The error of an object that is not what it was when it was listed."""
    return ItemError("changed", f"{name!r} changed while it was read: ingest it again.")


def child(folder: str, name: str) -> str:
    """The URI of a name, not encoded yet, within a folder's URI that ends with a slash."""
    return folder + quote(name, safe="/")
