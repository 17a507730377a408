"""Objects of buckets as crawls: `pipelines.workspace.object_access`, with items told from buckets.

One object that is missing or that nobody may read is that item's failure; a bucket that is gone, or
that lets nobody in, ends the run: its thousands of objects have not failed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from pipelines.workspace.addresses import bucket_and_key, scheme_of
from pipelines.workspace.errors import ItemError, SourceError
from pipelines.workspace.object_access import Bucket, Found, Patience, open_place
from pipelines.workspace.object_errors import AccessError, ChangedObjectError, MissingObjectError
from pipelines.workspace.object_places import Place
from pipelines.workspace.remote import RemoteFile, RemoteFolder, changed, child, missing
from pipelines.workspace.settings import CrawlSettings
from pipelines.workspace.uris import require_size, uri_path

_TIME: Final = "modified "  # begins the version of what has no ETag


class BucketFiles:
    """`s3://`, `gs://` and `az://`; `hf://` likewise, as a bucket of repositories."""

    def __init__(self, settings: CrawlSettings) -> None:
        """Nothing is asked yet."""
        self._patience = Patience(silence_seconds=settings.timeout_seconds)
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def find(self, uri: str) -> RemoteFile | None:
        """See `RemoteFiles`."""
        key = bucket_and_key(uri)[1]
        if not key or key.endswith("/"):
            return None
        with self._told(uri):
            found = self._bucket(uri).find(key)
        return None if found is None else _described(uri, found)

    def folder(self, uri: str) -> RemoteFolder:
        """See `RemoteFiles`."""
        bucket, key = bucket_and_key(uri)
        root = f"{scheme_of(uri)}://{bucket}/"
        try:
            files, folders = self._bucket(uri).folder(key)
        except AccessError as error:
            if key.strip("/") and not error.passes and self._lists_above(uri):
                raise ItemError("unreadable", str(error)) from None
            raise SourceError(str(error)) from None
        # `a//b` is listed as `a/`, within which it would be found again and again.
        named = [each for each in folders if each.strip("/") not in ("", key.strip("/"))]
        return RemoteFolder(
            has_unnamed=len(named) < len(folders),
            files=[
                _described(child(root, found.path), found)
                for found in files
                if found.path != key and not found.path.endswith("/")  # folders' own marks
            ],
            folders=[child(root, folder.strip("/") + "/") for folder in named],
        )

    def read(self, uri: str, max_bytes: int) -> bytes:
        """See `RemoteFiles`."""
        key = bucket_and_key(uri)[1]
        pieces, got = [], 0
        with self._told(uri):
            for piece in self._bucket(uri).stream(key):
                got += len(piece)
                require_size(uri_path(uri), got, max_bytes)
                pieces.append(piece)
        return b"".join(pieces)

    def read_range(self, file: RemoteFile, start: int, size: int) -> bytes:
        """See `RemoteFiles`."""
        key = bucket_and_key(file.uri)[1]
        with self._told(file.uri):
            return self._bucket(file.uri).read(key, start=start, size=size, e_tag=_tag(file))

    def save(self, file: RemoteFile, target: BinaryIO, max_bytes: int) -> None:
        """See `RemoteFiles`."""
        key, got = bucket_and_key(file.uri)[1], 0
        with self._told(file.uri):
            for piece in self._bucket(file.uri).stream(key, e_tag=_tag(file)):
                got += len(piece)
                require_size(uri_path(file.uri), got, max_bytes)
                target.write(piece)

    def _bucket(self, uri: str) -> Bucket:
        scheme, name = scheme_of(uri), bucket_and_key(uri)[0]
        with self._lock:
            if (key := f"{scheme}://{name}") not in self._buckets:
                try:
                    opened = open_place(Place(scheme=scheme, bucket=name), self._patience)
                except AccessError as error:
                    raise SourceError(str(error)) from None
                self._buckets[key] = opened
            return self._buckets[key]

    @contextmanager
    def _told(self, uri: str) -> Iterator[None]:
        """Whose fault it is: the object's, or the whole bucket's."""
        try:
            yield
        except MissingObjectError:
            raise missing(uri_path(uri)) from None
        except ChangedObjectError:
            raise changed(uri_path(uri)) from None
        except AccessError as error:
            if not error.passes and self._lets_us_in(uri):
                raise ItemError("unreadable", str(error)) from None
            raise SourceError(str(error)) from None

    def _lists_above(self, uri: str) -> bool:
        """Whether the folder that a folder is in can be listed."""
        try:
            self._bucket(uri).folder(bucket_and_key(uri)[1].strip("/").rpartition("/")[0])
        except AccessError:
            return False
        return True

    def _lets_us_in(self, uri: str) -> bool:
        """Whether the object's folder can be listed."""
        try:
            next(iter(self._bucket(uri).list(bucket_and_key(uri)[1].rpartition("/")[0])), None)
        except AccessError:
            return False
        return True


def _described(uri: str, found: Found) -> RemoteFile:
    version = found.e_tag or f"{_TIME}{found.modified.isoformat()}"
    return RemoteFile(uri=uri, size=found.size, version=version)


def _tag(file: RemoteFile) -> str | None:
    """The ETag that an object must still have; None: its server has none."""
    version = file.version
    return None if version is None or version.startswith(_TIME) else version
