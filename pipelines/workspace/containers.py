"""Files with many photos in them, opened: tars, zips and Parquet files, from wherever."""

import json
import tarfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, BinaryIO, Final

from pipelines.workspace.addresses import suffix_of
from pipelines.workspace.archives import Index, Member, tar_index_of, zip_index_of
from pipelines.workspace.errors import ItemError
from pipelines.workspace.parquet_rows import ParquetKind, ParquetRows
from pipelines.workspace.uris import require_size, uri_path
from sinet.json_text import to_json

TAR: Final = ".tar"
ZIP: Final = ".zip"
PARQUET: Final = ".parquet"
CONTAINERS: Final = (TAR, ZIP, PARQUET)


class DamagedError(Exception):
    """A container that cannot be read, or not to its end."""


class Container(ABC):
    """An opened file with members; threads take turns."""

    def __init__(self, uri: str, file: BinaryIO, size: int) -> None:
        """Take over an opened file.

        Args:
            uri: of the container.
            file: can be sought in; it is closed with the container.
            size: of it.
        """
        self.uri, self._file, self._size = uri, file, size
        self._turn = threading.RLock()

    @property
    def name(self) -> str:
        """For people."""
        return uri_path(self.uri)

    @property
    @abstractmethod
    def index(self) -> Index:
        """Its members, in their order.

        Raises:
            DamagedError: it is no such file, or cut off or damaged.
            OSError, PipelineError: it cannot be read.
        """

    @abstractmethod
    def read(self, member: str, max_bytes: int) -> bytes:
        """Bytes of one member.

        Raises:
            ItemError: `missing`, `unreadable`, `empty_file`, `too_large`, or what reading raises.
        """

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _member(self, name: str, max_bytes: int) -> Member:
        try:
            member = self.index.members[name]
        except DamagedError as error:
            text = f"{self.name!r} is damaged ({error}): pack it or fetch it again."
            raise ItemError("unreadable", text) from error
        except KeyError:
            text = f"{self.name!r} has no member {name!r} (any more): scan it again."
            raise ItemError("missing", text) from None
        require_size(f"{self.name}#{name}", member.size, max_bytes)
        return member


class Tar(Container):
    """An uncompressed tar."""

    @cached_property
    def index(self) -> Index:
        """See `Container`."""
        with self._turn:
            try:
                return tar_index_of(self._file, self._size)
            except tarfile.TarError as error:
                raise DamagedError(str(error)) from error

    def known_index(self, index: Index) -> None:
        """Take an index that was made before."""
        self.__dict__["index"] = index

    def read(self, member: str, max_bytes: int) -> bytes:
        """See `Container`."""
        found = self._member(member, max_bytes)
        with self._turn:
            self._file.seek(found.offset)
            data = self._file.read(found.size)
        if len(data) != found.size:
            raise ItemError("unreadable", f"{self.name!r} became shorter while it was read.")
        return data


class Zip(Container):
    """A zip."""

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise DamagedError(str(error)) from error

    @cached_property
    def index(self) -> Index:
        """See `Container`."""
        with self._turn:
            return zip_index_of(self._archive)

    def read(self, member: str, max_bytes: int) -> bytes:
        """See `Container`; a member is never longer than its directory says."""
        found = self._member(member, max_bytes)
        try:
            # Of members with one name its directory of names has the last, as the index.
            with self._turn, self._archive.open(member) as opened:
                data = opened.read(found.size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as bad:
            text = f"{self.name}#{member} cannot be unpacked ({bad}): pack it again."
            raise ItemError("unreadable", text) from bad
        if len(data) != found.size:
            text = f"{self.name}#{member} is not as long as its archive says: pack it again."
            raise ItemError("unreadable", text)
        return data


class Parquet(Container):
    """A Parquet file; its members are named by column and row."""

    @cached_property
    def rows(self) -> ParquetRows:
        """What is in it.

        Raises:
            DamagedError: it is no Parquet file, or cut off.
            ScanError: pyarrow is not installed.
        """
        with self._turn:
            try:
                return ParquetRows(self._file, self.name)
            except ValueError as error:
                raise DamagedError(str(error)) from error

    @cached_property
    def kind(self) -> ParquetKind:
        """Which of its columns holds what."""
        return self.rows.kind()

    @property
    def index(self) -> Index:
        """Its rows, if it holds images; their sizes are not known, which is told as -1."""
        column = self.kind.images
        if column is None:
            return Index({}, {})
        return Index({f"{column}/{row}": Member(row, -1) for row in range(self.rows.rows)}, {})

    def read(self, member: str, max_bytes: int) -> bytes:
        """See `Container`."""
        column, _, number = member.rpartition("/")
        if not number.isdecimal():
            raise ItemError("missing", f"{self.name}#{member}: names no row of a column.")
        with self._turn:
            try:
                return self.rows.image(column, int(number), max_bytes)
            except DamagedError as error:
                text = f"{self.name!r} is no readable Parquet file ({error}): fetch it again."
                raise ItemError("unreadable", text) from error

    def said(self, member: str) -> Mapping[str, Any]:
        """What the other columns say of a row; nothing if they cannot be read."""
        number = member.rpartition("/")[2]
        with self._turn:
            return self.rows.beside(int(number)) if number.isdecimal() else {}


def container_of(uri: str, file: BinaryIO, size: int) -> Container:
    """Open a container by its suffix; nothing of it is read yet."""
    suffix = suffix_of(uri)
    kind = {ZIP: Zip, PARQUET: Parquet}.get(suffix, Tar)
    return kind(uri, file, size)


def index_as_bytes(index: Index) -> bytes:
    """An index to be kept."""
    return to_json([list(index.members.items()), dict(index.not_files)]).encode()


def index_from_bytes(data: bytes) -> Index:
    """What `index_as_bytes` made.

    Raises:
        ValueError: something else.
    """
    members, not_files = json.loads(data)
    return Index({name: Member(*where) for name, where in members}, not_files)
