"""The bytes of what was offered, wherever they are: a file, an object, a member of either.

Whoever reads a source asks here, by its URI alone. What comes from elsewhere is fetched by several
threads at once, and kept in a spool until its photo was searched for faces.
"""

import os
import tempfile
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any, BinaryIO, Final, TypeVar, cast

from pipelines.workspace.addresses import is_remote, scheme_of, suffix_of
from pipelines.workspace.containers import (
    PARQUET,
    TAR,
    ZIP,
    Container,
    DamagedError,
    Tar,
    container_of,
    index_as_bytes,
    index_from_bytes,
)
from pipelines.workspace.errors import ItemError
from pipelines.workspace.files import open_regular
from pipelines.workspace.remote import RangeFile, RemoteFile, RemoteFiles, missing, remote_files
from pipelines.workspace.settings import Settings
from pipelines.workspace.spool import Spool
from pipelines.workspace.uris import access_error, read_bytes, split_member, split_uri, uri_path

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_OPEN: Final = 8  # containers a process: claims walk through the shards in order
_ASK_AGAIN_SECONDS: Final = 60.0
_SMALL_BYTES: Final = 1024**2
_SMALL: Final = 64


class Sources:
    """Reads sources; may be used by several threads at once."""

    def __init__(self, settings: Settings, spool: Spool | None = None) -> None:
        """Nothing is read yet.

        Args:
            settings: limits of files, and how what lies elsewhere is read.
            spool: keeps what is read for `read_again`; None: nothing is kept.
        """
        self._max_bytes = settings.decode.max_bytes
        self._settings, self._spool = settings.crawls, spool
        self._files: dict[str, RemoteFiles] = {}
        self._open: OrderedDict[str, tuple[Any, float, Container]] = OrderedDict()
        self._small: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, uri: str) -> bytes:
        """The content of a source as it is now.

        Raises:
            ItemError: `missing`, `unreadable`, `empty_file`, `too_large`, `changed`; of the web
                also `unreachable` and `private_address`.
            SourceError: the bucket or repository cannot be read at all.
        """
        container, member = split_member(uri)
        if member is not None and (is_remote(uri) or suffix_of(container) in (ZIP, PARQUET)):
            return self.container(container).read(member, self._max_bytes)
        if not is_remote(uri):
            return read_bytes(uri, max_bytes=self._max_bytes)
        data = self.remote(uri).read(uri, self._max_bytes)
        if not data:
            raise ItemError("empty_file", f"{uri_path(uri)!r} is empty: fetch it again.")
        return data

    def read_many(
        self, uris: Sequence[str], work: Callable[[str, bytes], _Out]
    ) -> list[_Out | Exception]:
        """Do something with the content of each, which `read_again` then need not fetch again.

        Args:
            uris: of sources.
            work: with one of them and its content.

        Returns:
            In their order; the exception where one raised any.
        """
        groups: dict[str, list[int]] = defaultdict(list)
        for number, uri in enumerate(uris):
            # Members of one container are read one after the other, forward.
            groups[split_member(uri)[0] if "#" in uri else f"{uri}#{number}"].append(number)
        found: dict[int, _Out | Exception] = {}

        def of_group(numbers: list[int]) -> None:
            for number in numbers:
                try:
                    found[number] = work(uris[number], self._kept(uris[number]))
                except Exception as error:  # its own place tells
                    found[number] = error

        if any(map(is_remote, uris)):
            list(self._threads.map(of_group, groups.values()))
        else:
            for numbers in groups.values():
                of_group(numbers)
        return [found[number] for number in range(len(uris))]

    def read_again(self, uri: str) -> bytes:
        """The content of a source that `read_many` has read, as it was then or as it is now.

        Raises:
            ItemError, SourceError: as `read`.
        """
        kept = self._spool.take(uri) if self._spool is not None and _is_kept(uri) else None
        return self.read(uri) if kept is None else kept

    def small(self, uri: str) -> bytes:
        """A small object elsewhere that is about many photos, or one; the last ones are kept.

        Raises:
            ItemError, SourceError: as `read`; `too_large` for more than a megabyte.
        """
        with self._lock:
            if uri in self._small:
                return self._small[uri]
        data = self.remote(uri).read(uri, _SMALL_BYTES)
        with self._lock:
            self._small[uri] = data
            while len(self._small) > _SMALL:
                self._small.popitem(last=False)
        return data

    def drop(self, uri: str) -> None:
        """Say that nobody will read this again."""
        if self._spool is not None and _is_kept(uri):
            self._spool.drop(uri)

    def finish(self) -> None:
        """Say that no photo waits to be read again: nothing of any is left on the disk."""
        if self._spool is not None:
            self._spool.clear()

    def remote(self, uri: str) -> RemoteFiles:
        """Who reads what lies elsewhere.

        Raises:
            SourceError: the library for it is not installed.
        """
        scheme = scheme_of(uri)
        with self._lock:
            if scheme not in self._files:
                self._files[scheme] = remote_files(uri, self._settings)
            return self._files[scheme]

    def container(self, uri: str, known: RemoteFile | None = None) -> Container:
        """An opened tar, zip or Parquet file; one that lies elsewhere is fetched if there is room.

        Args:
            uri: of the container.
            known: of one that lies elsewhere, if it was asked for just now.

        Raises:
            ItemError, SourceError: it cannot be read.
        """
        with self._lock:
            state, asked, opened = self._open.get(uri, (None, 0.0, None))
            is_fresh = time.monotonic() - asked < _ASK_AGAIN_SECONDS
            if opened is not None and is_remote(uri) and known is None and is_fresh:
                self._open.move_to_end(uri)
                return opened
        now: Any = (known or self._found(uri)) if is_remote(uri) else _local_state(uri)
        if opened is None or state != now:
            opened = self._opened_remotely(now) if is_remote(uri) else _opened_here(uri)
        with self._lock:
            self._open[uri] = now, time.monotonic(), opened
            self._open.move_to_end(uri)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)  # closed when nobody reads in it any more
        return opened

    def ahead(self, items: Iterable[_In], work: Callable[[_In], _Out]) -> Iterator[_Out]:
        """Results in the order of the items, some of which are worked at ahead of time."""
        coming: list[Future[_Out]] = []
        try:
            for item in items:
                coming.append(self._threads.submit(work, item))
                if len(coming) > self._settings.threads:
                    yield coming.pop(0).result()
            while coming:
                yield coming.pop(0).result()
        finally:
            for future in coming:
                future.cancel()

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._settings.threads, "sources")

    def _kept(self, uri: str) -> bytes:
        data = self.read(uri)
        if self._spool is not None and _is_kept(uri):
            self._spool.keep(data, uri)
        return data

    def _found(self, uri: str) -> RemoteFile:
        found = self.remote(uri).find(uri)
        if found is None:
            raise missing(uri_path(uri))
        return found

    def _opened_remotely(self, found: RemoteFile) -> Container:
        uri, files = found.uri, self.remote(found.uri)
        if self._spool is not None and found.version is not None:
            local = self._spool.path(uri, found.version, "whole")
            if not local.is_file() and found.size is not None and self._spool.has_room(found.size):
                size = found.size
                self._spool.save(
                    lambda file: files.save(found, file, size), uri, found.version, "whole"
                )
            if local.is_file():
                return _opened_file(uri, str(local))
        if found.ranges and found.size is not None:
            return self._opened_in_parts(found)
        file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        files.save(found, file, self._settings.spool_bytes)
        return container_of(uri, file, file.seek(0, os.SEEK_END))

    def _opened_in_parts(self, found: RemoteFile) -> Container:
        """Read by ranges; what was found to be in a tar is kept for the other processes."""
        assert found.size is not None
        file = cast(BinaryIO, RangeFile(self.remote(found.uri), found))
        opened = container_of(found.uri, file, found.size)
        if self._spool is None or not isinstance(opened, Tar):
            return opened
        try:
            kept = self._spool.path(found.uri, found.version, "index").read_bytes()
            opened.known_index(index_from_bytes(kept))
        except (OSError, ValueError):
            try:
                data = index_as_bytes(opened.index)
            except DamagedError:
                return opened  # whoever reads in it is told
            self._spool.save(lambda file: file.write(data), found.uri, found.version, "index")
        return opened


def _is_kept(uri: str) -> bool:
    """Whether reading a source again costs more than reading a file."""
    container, member = split_member(uri)
    return is_remote(uri) or (member is not None and suffix_of(container) != TAR)


def _local_state(uri: str) -> tuple[int, int]:
    path = split_uri(uri)[0]
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise access_error(path, error) from error
    return status.st_size, status.st_mtime_ns


def _opened_here(uri: str) -> Container:
    return _opened_file(uri, split_uri(uri)[0])


def _opened_file(uri: str, path: str) -> Container:
    try:
        file = open_regular(path)
    except OSError as error:
        raise access_error(uri_path(uri), error) from error
    return container_of(uri, file, os.fstat(file.fileno()).st_size)
