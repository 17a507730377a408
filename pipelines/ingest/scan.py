"""Find the images of a crawl: folders, single files, lists of paths, archives, addresses.

Nothing is opened but lists and archives: what a file really holds is found out when it is
decoded. Everything found is either offered or counted in the `ScanSummary`; nothing is
dropped in silence.
"""

# Names stay plain text in the walk: a Path object per file costs more than its stat.
# ruff: noqa: PTH110, PTH114, PTH116, PTH118, PTH208

import codecs
import os
import stat
import tarfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.ingest.found import FoundFile, ScanSummary
from pipelines.ingest.members import members, photos_among
from pipelines.ingest.path_lists import LIST_SUFFIXES, EntryKind, entries
from pipelines.ingest.remote_scan import KnownArchive, RemoteScan
from pipelines.ingest.shards import note_of_unfinished, unfinished_shards
from pipelines.workspace.addresses import address_uri, is_address, without_query
from pipelines.workspace.containers import PARQUET, ZIP, DamagedError, Parquet
from pipelines.workspace.errors import ItemError, PipelineError, ScanError
from pipelines.workspace.files import open_regular
from pipelines.workspace.own_files import OwnFiles
from pipelines.workspace.settings import Settings
from pipelines.workspace.sources import Sources
from pipelines.workspace.uris import file_uri, quote_name, split_uri, tar_index
from sinet.files.leftovers import ARCHIVE_SUFFIXES, left_out, left_out_folder

Given = Path | str
"""A path, or an address, as on a command line."""


def scan(
    paths: Sequence[Given],
    summary: ScanSummary | None = None,
    sources: Sources | None = None,
    *,
    known: KnownArchive | None = None,
    follow: bool = False,
) -> Iterator[FoundFile]:
    """Yield the files under `paths` in a fixed order (by the bytes of their names).

    A folder is walked with its subfolders and the tars and Parquet files of images in them; a
    `.txt` or `.lst` file is a list of paths, see `pipelines.ingest.path_lists`; a `.tar` or `.zip`
    is read through; a `.parquet` has images, or addresses; any other file is offered as it is. What
    lies elsewhere is gone through alike. What `sinet.files.leftovers` knows to be no photo is left
    out of folders and archives, never out of lists. Links to
    folders are followed once everything real has been walked, and no folder is walked
    twice. The same file named through two paths is yielded twice, under one URI.

    Args:
        paths: as given on the command line.
        summary: filled with what was left out, as the iterator advances.
        sources: reads archives; None: with the settings that are the default.
        known: archives elsewhere that need not be gone through again.
        follow: offer the addresses in lists that lie here, too.

    Raises:
        ScanError: at once if a path does not exist, cannot be read or is a packed archive;
            during iteration if an archive or list among `paths` turns out to be damaged, or a
            bucket cannot be read (any more).
    """
    found = _Scan(
        summary if summary is not None else ScanSummary(),
        sources if sources is not None else Sources(Settings()),
        known,
        follow=follow,
    )
    given = [each if is_address(str(each)) else as_path(each) for each in paths]
    for path in given:
        if isinstance(path, Path):
            _validate(path)
        else:
            found.elsewhere.check(path)
    return found.run(given)


def as_path(given: Given) -> Path:
    """The path in what was given on a command line; also of a `file://` address."""
    text = str(given)
    return Path(split_uri(text)[0]) if text.startswith("file:///") else Path(given)


def _validate(path: Path) -> None:
    """Raise ScanError if a path of the command line cannot be offered."""
    name = str(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()
        elif not stat.S_ISREG(mode):
            raise ScanError(f"{name!r} is neither a file nor a folder: give one of these.")
        elif path.suffix.lower() in ARCHIVE_SUFFIXES - {ZIP}:
            raise ScanError(
                f"{name!r} is a packed archive, whose members cannot be read at random: "
                "unpack it and give the folder, or pack it as a plain .tar or a .zip."
            )
        else:
            with path.open("rb") as handle:
                head = handle.read(4)
            if path.suffix.lower() in LIST_SUFFIXES and head.startswith(
                (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            ):
                raise ScanError(f"the list {name!r} is UTF-16: save it as UTF-8.")
            if path.suffix.lower() == ".tar":
                tarfile.open(path, "r:").close()
    except FileNotFoundError as error:
        raise ScanError(f"{name!r} does not exist: check the path.") from error
    except OSError as error:
        raise ScanError(f"{name!r} cannot be read ({error.strerror}): check it.") from error
    except tarfile.TarError as error:
        raise _broken_tar(name, error) from error


def _broken_tar(name: str, error: Exception) -> ScanError:
    return ScanError(
        f"{name!r} is not a readable uncompressed tar ({error}): pack it again, or unpack "
        "it and give the folder."
    )


class _Scan:
    """One pass over the paths of a command line."""

    def __init__(
        self, summary: ScanSummary, sources: Sources, known: KnownArchive | None, *, follow: bool
    ) -> None:
        self._summary, self._sources, self._follow = summary, sources, follow
        self.elsewhere = RemoteScan(summary, sources, known)
        self._walked: set[tuple[int, int]] = set()  # (device, inode) of folders
        self._linked: deque[str] = deque()  # links to folders, kept for the end
        self._own = OwnFiles()

    def run(self, paths: Sequence[Given]) -> Iterator[FoundFile]:
        for found in self._all(paths):
            self._summary.offered += 1
            yield found

    def _all(self, paths: Sequence[Given]) -> Iterator[FoundFile]:
        for path in paths:
            if not isinstance(path, Path):
                yield from self.elsewhere.root(path)
                continue
            suffix = path.suffix.lower()
            if path.is_dir():
                yield from self._folder(str(path))
            elif self._is_own(str(path)):
                continue
            elif suffix == ".tar":
                try:
                    yield from self._tar(str(path))
                except tarfile.TarError as error:
                    raise _broken_tar(str(path), error) from error
            elif suffix in LIST_SUFFIXES:
                yield from self._list(path)
            elif suffix in (ZIP, PARQUET):
                yield from self._container(path)
            else:
                yield _found(str(path))
        while self._linked:
            yield from self._folder(self._linked.popleft())
        archives = sum(self._summary.ignored[suffix] for suffix in ARCHIVE_SUFFIXES)
        archives += sum(self._summary.ignored[f".tar{suffix}"] for suffix in ARCHIVE_SUFFIXES)
        if archives:
            self._summary.notes.append(
                f"{archives:,} packed archives were not opened: unpack them, pack plain .tar, or "
                "give each .zip by itself"
            )

    def _list(self, path: Path) -> Iterator[FoundFile]:
        """Offer the lines of a list, and say what is none."""
        urls, followed = [], []
        for entry in entries(path):
            if entry.kind is EntryKind.PATH:
                yield from self._listed(path.parent / entry.text)
            elif entry.kind is EntryKind.URL and self._follow:
                try:
                    followed.append(address_uri(entry.text))
                except ScanError:  # of a stranger's line nothing is repeated
                    self._summary.ignored["signed address"] += 1
            else:
                self._summary.ignored[str(entry.kind)] += 1
                if entry.kind is EntryKind.URL:
                    urls.append(entry.text)
        yield from self.elsewhere.listed(followed)
        if urls:
            self._summary.notes.append(
                f"{path}: {len(urls):,} lines are addresses, first {without_query(urls[0])}; they "
                "are fetched with --download"
            )

    def _listed(self, path: Path) -> Iterator[FoundFile]:
        """Offer one line of a list, whatever it is called and even if it is missing."""
        if path.is_dir():
            yield from self._folder(str(path))
        elif self._is_own(str(path)):
            return
        elif path.suffix.lower() == ".tar":
            yield from self._tar_or_file(str(path))
        elif path.suffix.lower() == ZIP:
            try:
                yield from self._members(str(path))
            except (DamagedError, ItemError) as error:
                self._summary.broken_tars.append((str(path), str(error)))
                yield _found(str(path))
        else:
            yield _found(str(path))

    def _container(self, path: Path) -> Iterator[FoundFile]:
        """Offer what is in a zip or a Parquet file of the command line."""
        try:
            yield from self._members(str(path))
        except DamagedError as error:
            kind = "Parquet file" if path.suffix.lower() == PARQUET else "zip"
            raise ScanError(
                f"{str(path)!r} is not a readable {kind} ({error}): fetch or make it again."
            ) from error
        except ItemError as error:
            raise ScanError(str(error)) from error

    def _members(self, path: str) -> Iterator[FoundFile]:
        container = self._sources.container(file_uri(path))
        try:
            yield from members(container, self._summary, mtime_ns=os.stat(path).st_mtime_ns)
        except ValueError as error:
            raise DamagedError(str(error)) from error

    def _is_of_images(self, path: str) -> bool:
        """Whether a Parquet file in a folder holds images, not only what is known of some."""
        stem = path[: -len(PARQUET)]
        if not path.lower().endswith(PARQUET) or os.path.exists(f"{stem}.tar"):
            return False
        try:
            with open_regular(path) as file:
                if file.read(4) != b"PAR1":
                    return False
            container = self._sources.container(file_uri(path))
            assert isinstance(container, Parquet)
            kind = container.kind
        except (OSError, DamagedError, PipelineError):
            return False
        if kind.images is None:
            return False
        return not (kind.of_img2dataset and not os.path.exists(f"{stem}_stats.json"))

    def _is_own(self, path: str) -> bool:
        """Leave a file out that is a workspace's or a release's."""
        own = self._own.of_file(path)
        if own is not None:
            self._summary.ignored[own] += 1
        return own is not None

    def _folder(self, root: str) -> Iterator[FoundFile]:
        """Walk a folder depth first, with one list of names per level in memory."""
        levels = [self._names(root)]
        while levels:
            for folder, prefix, name in levels[-1]:
                path = os.fsdecode(os.path.join(folder, name))
                try:
                    status = os.stat(path)
                except OSError:  # a dangling link, or no permission: fails later, in the open
                    yield FoundFile(f"{prefix}{quote_name(name)}", None, None)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    reason = left_out_folder(os.fsdecode(name))
                    if reason is not None:
                        self._summary.ignored[reason] += 1
                        continue
                    if os.path.islink(path):
                        self._linked.append(path)
                        continue
                    levels.append(self._names(path))
                    break
                reason = left_out(os.fsdecode(name))
                if not stat.S_ISREG(status.st_mode):
                    self._summary.not_files[_kind(status.st_mode)] += 1
                elif reason == PARQUET and self._is_of_images(path):
                    yield from self._members(path)
                elif reason is not None:
                    self._summary.ignored[reason] += 1
                elif (os.path.islink(path) or name.startswith(b"dataengine.")) and self._is_own(
                    path
                ):
                    continue
                elif name.lower().endswith(b".tar"):
                    yield from self._tar_or_file(path)
                else:
                    uri = f"{prefix}{quote_name(name)}"
                    yield FoundFile(uri, status.st_size, status.st_mtime_ns)
            else:
                levels.pop()

    def _names(self, folder: str) -> Iterator[tuple[bytes, str, bytes]]:
        """Yield `(folder, its URI and a slash, name)` of all that is not hidden, sorted."""
        # Names only, not DirEntry objects: a flat crawl has a million files in one folder.
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in self._walked:
                return
            self._walked.add((status.st_dev, status.st_ino))
            own = self._own.of_folder(folder)
            if own is not None:
                self._summary.ignored[own] += 1
                return
            names = sorted(os.listdir(os.fsencode(folder)))
        except OSError as error:
            self._summary.unreadable.append((folder, error.strerror or str(error)))
            return
        # Quoting the folder once makes a URI ten times as cheap as `file_uri` of each file.
        prefix = f"{file_uri(folder).rstrip('/')}/"
        unfinished = unfinished_shards(map(os.fsdecode, names))
        if unfinished:
            first = os.path.join(folder, min(unfinished))
            self._summary.notes.append(note_of_unfinished(len(unfinished), first))
        for name in names:
            if name.startswith(b"."):
                self._summary.ignored["hidden"] += 1
            elif os.fsdecode(name) in unfinished:
                self._summary.ignored["unfinished shard"] += 1
            else:
                yield os.fsencode(folder), prefix, name

    def _tar_or_file(self, path: str) -> Iterator[FoundFile]:
        """Offer the members of a tar; a damaged tar is offered whole and fails later."""
        try:
            yield from self._tar(path)
        except (tarfile.TarError, OSError) as error:
            if not isinstance(error, FileNotFoundError):
                self._summary.broken_tars.append((path, str(error)))
            yield _found(path)

    def _tar(self, path: str) -> Iterator[FoundFile]:
        index = tar_index(path)  # complete: a damaged tar is known before a member is
        prefix = f"{file_uri(path)}#"
        mtime_ns = os.stat(path).st_mtime_ns
        for name, member in photos_among(index, self._summary):
            quoted = quote_name(name.encode("utf-8", "surrogateescape"))
            yield FoundFile(f"{prefix}{quoted}", member.size, mtime_ns)


def _found(path: str) -> FoundFile:
    """Offer one file, whether or not it can be looked at."""
    try:
        status = os.stat(path)
    except OSError:
        return FoundFile(file_uri(path), None, None)
    return FoundFile(file_uri(path), status.st_size, status.st_mtime_ns)


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "fifo"
    return "socket" if stat.S_ISSOCK(mode) else "device"
