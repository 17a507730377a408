"""Crawls that lie elsewhere: prefixes of buckets, the hub, single objects, lists, archives.

A prefix is walked folder by folder, as a folder of the disk is, by the same rules of what is left
out. Nothing is fetched but lists and what says what is in an archive.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from pipelines.ingest.found import FoundArchive, FoundFile, ScanSummary
from pipelines.ingest.members import members
from pipelines.ingest.path_lists import LIST_SUFFIXES, EntryKind, entries_of
from pipelines.ingest.shards import note_of_unfinished, unfinished_shards
from pipelines.workspace.addresses import (
    address_text,
    address_uri,
    resolved,
    scheme_of,
    suffix_of,
)
from pipelines.workspace.containers import CONTAINERS, PARQUET, DamagedError, Parquet
from pipelines.workspace.errors import ItemError, ScanError, SourceError
from pipelines.workspace.folder_store import IDENTITY_FILE
from pipelines.workspace.object_places import WEB
from pipelines.workspace.own_files import OWN_FOLDERS, SETTINGS_FILE, Own
from pipelines.workspace.remote import RemoteFile
from pipelines.workspace.sources import Sources
from sinet.files.leftovers import ARCHIVE_SUFFIXES, left_out, left_out_folder
from sinet.files.releases import CHECKSUMS_FILE, MANIFEST_FILE

KnownArchive = Callable[[str, str], int | None]
"""Members of an archive that was gone through before in this version; None: it was not."""
_LIST_BYTES: Final = 256 * 1024**2


class RemoteScan:
    """Goes through what lies elsewhere."""

    def __init__(
        self, summary: ScanSummary, sources: Sources, known: KnownArchive | None = None
    ) -> None:
        """Nothing is asked yet.

        Args:
            summary: counts what is left out.
            sources: reads.
            known: archives that need not be gone through again.
        """
        self._summary, self._sources, self._known = summary, sources, known
        self._checked: dict[str, RemoteFile | None] = {}

    def check(self, text: str) -> None:
        """Find out whether an address of the command line can be offered.

        Raises:
            ScanError: it cannot be read, nothing is there, or it is a packed archive.
        """
        uri = address_uri(text)
        name = address_text(uri)
        try:
            found = self._find(uri)
        except ItemError as error:
            raise SourceError(str(error)) from None
        self._checked[uri] = found
        suffix = suffix_of(uri)
        if found is None and (scheme_of(uri) in WEB or suffix in CONTAINERS):
            raise ScanError(f"{name}: is not there: check the address")
        if found is not None and suffix in ARCHIVE_SUFFIXES - set(CONTAINERS):
            raise ScanError(
                f"{name}: is a packed archive, whose members cannot be read at random: pack it as "
                "a plain .tar or a .zip"
            )
        if found is None:
            try:
                folder = self._sources.remote(uri).folder(_as_folder(uri))
            except ItemError as error:
                raise SourceError(str(error)) from None
            if not folder.files and not folder.folders:
                raise ScanError(f"{name}: nothing lies there: check the spelling")

    def root(self, text: str) -> Iterator[FoundFile]:
        """Offer what an address of the command line names."""
        uri = address_uri(text)
        if uri not in self._checked:
            self.check(text)
        found = self._checked[uri]
        if found is None:
            yield from self._folder(_as_folder(uri), ())
            return
        try:
            yield from self._object(found, self._tables_beside(found), explicit=True)
        except DamagedError as error:
            kind = "Parquet file" if suffix_of(uri) == PARQUET else f"{suffix_of(uri)[1:]}"
            raise ScanError(
                f"{address_text(uri)}: is not a readable {kind} ({error}): upload it again"
            ) from error

    def listed(self, uris: Iterable[str]) -> Iterator[FoundFile]:
        """Offer addresses of a list, whatever they are called and even if nothing is there."""
        for uri, found in self._sources.ahead(uris, self._looked_up):
            if isinstance(found, RemoteFile) and suffix_of(uri) in CONTAINERS:
                yield from self._unless_damaged(found, ())
            elif isinstance(found, RemoteFile):
                yield _offered(found)
            elif uri.endswith("/") and scheme_of(uri) not in WEB:
                yield from self._folder(uri, ())
            else:
                yield FoundFile(uri, None, None)  # fails later, in the open

    def _looked_up(self, uri: str) -> tuple[str, RemoteFile | None]:
        try:
            return uri, self._sources.remote(uri).find(uri)
        except ItemError:
            return uri, None

    def _find(self, uri: str) -> RemoteFile | None:
        if uri.endswith("/") and scheme_of(uri) not in WEB:
            return None
        return self._sources.remote(uri).find(uri)

    def _tables_beside(self, found: RemoteFile) -> tuple[str, ...]:
        """img2dataset's tables of a shard that was given by itself."""
        if scheme_of(found.uri) in WEB or suffix_of(found.uri) not in CONTAINERS:
            return ()
        stem = found.uri.removesuffix(suffix_of(found.uri))
        wanted = [f"{stem}_stats.json"]
        if suffix_of(found.uri) != PARQUET:
            wanted.append(f"{stem}.parquet")
        return tuple(uri for uri, there in map(self._looked_up, wanted) if there is not None)

    def _object(
        self, found: RemoteFile, beside: tuple[str, ...], *, explicit: bool = False
    ) -> Iterator[FoundFile]:
        suffix = suffix_of(found.uri)
        if suffix in LIST_SUFFIXES and explicit:
            yield from self.listed(self._lines(found.uri))
        elif suffix in CONTAINERS:
            yield from self._container(found, beside)
        else:
            yield _offered(found, beside)

    def _container(self, found: RemoteFile, beside: tuple[str, ...]) -> Iterator[FoundFile]:
        version = found.version
        before = self._known(found.uri, version) if self._known and version else None
        if before is not None:
            self._summary.known_members += before
            return
        container = self._sources.container(found.uri, found)
        number = 0
        try:
            for each in members(container, self._summary, version=version, beside=beside):
                number += 1
                yield each
        except ValueError as error:
            raise DamagedError(str(error)) from error
        if version is not None:
            self._summary.archives.append(FoundArchive(found.uri, version, number))

    def _unless_damaged(self, found: RemoteFile, beside: tuple[str, ...]) -> Iterator[FoundFile]:
        """The members of a container; a damaged one is offered whole and fails later."""
        try:
            yield from self._container(found, beside)
        except (DamagedError, ItemError) as error:
            self._summary.broken_tars.append((address_text(found.uri), str(error)))
            yield _offered(found)

    def _lines(self, uri: str) -> Iterator[str]:
        """URIs in a list that lies elsewhere."""
        try:
            data = self._sources.remote(uri).read(uri, _LIST_BYTES)
        except ItemError as error:
            raise SourceError(str(error)) from None
        for entry in entries_of(data):
            if entry.kind is EntryKind.COMMENT:
                self._summary.ignored[str(entry.kind)] += 1
                continue
            try:
                yield resolved(uri, entry.text)
            except ScanError:  # of a stranger's line nothing is repeated
                self._summary.ignored["signed address"] += 1

    def _folder(self, root: str, tables: tuple[str, ...]) -> Iterator[FoundFile]:
        """Walk a prefix depth first, in the order of the bytes of names."""
        try:
            listing = self._sources.remote(root).folder(root)
        except ItemError as error:
            self._summary.unreadable.append((address_text(root), str(error)))
            return
        if listing.has_unnamed:
            self._summary.unreadable.append(
                (address_text(root), "objects whose names have an empty part (//) cannot be read")
            )
        names = {_name(file.uri): file for file in listing.files}
        folders = {_name(uri.rstrip("/")): uri for uri in listing.folders}
        own = _owner(names)
        if own is not None:
            self._summary.ignored[own] += 1
            return
        unfinished = unfinished_shards(chain(names, folders))
        if unfinished:
            self._summary.ignored["unfinished shard"] += len(unfinished)
            first = address_text(root) + min(unfinished)
            self._summary.notes.append(note_of_unfinished(len(unfinished), first))
        taken = [name for name in (*names, *folders) if name not in unfinished]
        for name in sorted(taken, key=lambda each: each.encode("utf-8", "surrogatepass")):
            if name in names:
                yield from self._file(name, names[name], names, tables)
            if name not in folders or name in unfinished:
                continue
            reason = left_out_folder(name)
            if SETTINGS_FILE in names and name in OWN_FOLDERS:
                reason = Own.WORKSPACE
            if reason is not None:
                self._summary.ignored[reason] += 1
            else:
                yield from self._folder(folders[name], _tables_of(name, names))

    def _file(
        self,
        name: str,
        file: RemoteFile,
        names: dict[str, RemoteFile],
        tables: tuple[str, ...],
    ) -> Iterator[FoundFile]:
        suffix = suffix_of(file.uri)
        if SETTINGS_FILE in names and name.startswith("dataengine."):
            self._summary.ignored[Own.WORKSPACE] += 1
        elif suffix == PARQUET and self._is_of_images(name, file, names):
            stats = names.get(f"{name.removesuffix(suffix)}_stats.json")
            yield from self._unless_damaged(file, () if stats is None else (stats.uri,))
        elif (reason := left_out(name)) is not None:
            self._summary.ignored[reason] += 1
        elif suffix == ".tar":
            yield from self._unless_damaged(file, _tables_of(name.removesuffix(suffix), names))
        else:
            stem = name.rpartition(".")[0] or name
            sidecars = dict.fromkeys([f"{name}.json", f"{stem}.json", f"{name}.xmp", f"{stem}.xmp"])
            beside = tuple(names[each].uri for each in sidecars if each in names)
            yield _offered(file, beside + tables)

    def _is_of_images(self, name: str, file: RemoteFile, names: dict[str, RemoteFile]) -> bool:
        """Whether a Parquet file holds images, and not only what is known of some."""
        if left_out(name) == "hidden" or f"{name.removesuffix(PARQUET)}.tar" in names:
            return False
        try:
            container = self._sources.container(file.uri, file)
            assert isinstance(container, Parquet)
            kind = container.kind
        except (DamagedError, ItemError):
            return False
        if kind.images is None:
            return False
        return not kind.of_img2dataset or f"{name.removesuffix(PARQUET)}_stats.json" in names


def _offered(file: RemoteFile, beside: tuple[str, ...] = ()) -> FoundFile:
    return FoundFile(file.uri, file.size, None, file.version, beside)


def _as_folder(uri: str) -> str:
    return uri if uri.endswith("/") else f"{uri}/"


def _name(uri: str) -> str:
    return address_text(uri).rpartition("/")[2]


def _tables_of(stem: str, names: dict[str, RemoteFile]) -> tuple[str, ...]:
    """img2dataset's tables of a shard, of those that are there."""
    wanted = (f"{stem}.parquet", f"{stem}_stats.json")
    return tuple(names[each].uri for each in wanted if each in names)


def _owner(names: dict[str, RemoteFile]) -> Own | None:
    """Whose everything under a prefix is; None: not ours as a whole."""
    if IDENTITY_FILE in names:
        return Own.WORKSPACE
    return Own.RELEASE if {CHECKSUMS_FILE, MANIFEST_FILE} <= names.keys() else None
