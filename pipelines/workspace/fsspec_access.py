"""Buckets through fsspec: any other scheme, of whichever drivers are installed (`hf://`, …)."""

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pipelines.workspace.object_access import EXTRA, PATIENT, Found, Patience, patiently
from pipelines.workspace.object_errors import (
    AccessError,
    Asked,
    ChangedObjectError,
    MissingObjectError,
)
from pipelines.workspace.object_places import Place

_T = TypeVar("_T")

_PIECE_BYTES = 8 * 1024**2
# What drivers call the same things.
_TAGS = ("ETag", "etag", "e_tag", "blob_id", "oid")
_TIMES = ("LastModified", "last_modified", "mtime", "modified", "created")


class FsspecBucket:
    """See `Bucket`. What a driver cannot do conditionally is looked at first, then written."""

    def __init__(self, place: Place, patience: Patience = PATIENT) -> None:
        self.place = place
        self._patience = patience
        self._files = _driver(place)
        self._root = str(self._files._strip_protocol(place.url)).rstrip("/")

    def find(self, path: str) -> Found | None:
        """See `Bucket`."""
        try:
            found = self._ask(path, "read", lambda: self._files.info(self._full(path)))
        except MissingObjectError:
            return None
        return _found(path, found) if found["type"] == "file" else None

    def read(
        self, path: str, *, start: int = 0, size: int | None = None, e_tag: str | None = None
    ) -> bytes:
        """See `Bucket`."""
        found = self.find(path)
        if found is None:
            raise MissingObjectError(f"{self.place.where(path)}: is not there")
        if e_tag is not None and found.e_tag != e_tag:
            raise ChangedObjectError(f"{self.place.where(path)}: has changed since it was found")
        end = found.size if size is None else min(found.size, start + size)
        if end <= start:
            return b""

        def get() -> bytes:
            data = bytes(self._files.cat_file(self._full(path), start=start, end=end))
            if len(data) != end - start:
                raise AccessError(
                    f"{self.place.where(path)}: the server sent {len(data):,} of {end - start:,} "
                    "bytes, again and again",
                    passes=True,
                )
            return data

        return self._ask(path, "read", get)

    def stream(self, path: str, *, start: int = 0, e_tag: str | None = None) -> Iterator[bytes]:
        """See `Bucket`."""
        position = start
        while piece := self.read(path, start=position, size=_PIECE_BYTES, e_tag=e_tag):
            position += len(piece)
            yield piece

    def list(self, folder: str = "") -> Iterator[Found]:
        """See `Bucket`."""
        top = self._full(folder) if folder else self._root

        def find() -> Mapping[str, Any]:
            found: Mapping[str, Any] = self._files.find(top, detail=True)
            return found

        for name, info in self._ask(folder, "list", find).items():
            yield _found(self._below(name), info)

    def folder(self, path: str = "") -> tuple[Sequence[Found], Sequence[str]]:
        """See `Bucket`."""
        top = self._full(path.strip("/")).rstrip("/")

        def ls() -> Sequence[Mapping[str, Any]]:
            found: Sequence[Mapping[str, Any]] = self._files.ls(top, detail=True)
            return found

        try:
            entries = self._ask(path, "list", ls)
        except MissingObjectError:
            return [], []
        named = [(self._below(each["name"]), each) for each in entries]
        return (
            [_found(name, each) for name, each in named if each["type"] == "file"],
            [name for name, each in named if each["type"] == "directory"],
        )

    def create(self, path: str, data: bytes) -> bool:
        """See `Bucket`."""
        if self.find(path) is not None:
            return False
        self.replace(path, data)
        return True

    def replace(self, path: str, data: bytes) -> None:
        """See `Bucket`."""
        full = self._full(path)

        def put() -> None:
            self._files.makedirs(posixpath.dirname(full), exist_ok=True)
            self._files.pipe_file(full, data)

        self._ask(path, "write", put)

    def delete(self, path: str) -> None:
        """See `Bucket`."""
        try:
            self._ask(path, "remove", lambda: self._files.rm_file(self._full(path)))
        except MissingObjectError:
            return

    def signed_url(self, path: str, seconds: float) -> str:
        """See `Bucket`."""
        try:
            sign = self._files.sign
            return str(
                self._ask(path, "read", lambda: sign(self._full(path), expiration=int(seconds)))
            )
        except NotImplementedError:
            raise AccessError(
                f"{self.place.url}: {self.place.scheme}:// gives out no addresses for others"
            ) from None

    def _below(self, name: str) -> str:
        return posixpath.relpath(name, self._root or ".")

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _ask(self, path: str, to: str, work: Callable[[], _T]) -> _T:
        asked = Asked(
            where=self.place.where(path).rstrip("/"), bucket=self.place.root, server=None, to=to
        )
        return patiently(work, asked, self._patience)


def _driver(place: Place) -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise AccessError(
            f"{place.url}: needs the Python package fsspec, which is not installed: `{EXTRA}`"
        ) from error
    try:
        return fsspec.filesystem(place.scheme, use_listings_cache=False)
    except ImportError as error:
        raise AccessError(
            f"{place.url}: {place.scheme}:// needs another Python package: {error}"
        ) from None
    except ValueError:
        raise AccessError(
            f"{place.url}: {place.scheme}:// is unknown; there are s3://, gs://, az://, https://, "
            "and whatever fsspec has drivers for"
        ) from None


def _found(path: str, info: Mapping[str, Any]) -> Found:
    modified = next((info[name] for name in _TIMES if info.get(name) is not None), 0)
    if isinstance(modified, str):
        modified = datetime.fromisoformat(modified)
    elif not isinstance(modified, datetime):
        modified = datetime.fromtimestamp(float(modified), UTC)
    tag = next((info[name] for name in _TAGS if info.get(name)), None)
    return Found(
        path=path,
        size=int(info["size"] or 0),
        modified=modified if modified.tzinfo else modified.replace(tzinfo=UTC),
        e_tag=None if tag is None else str(tag),
    )
