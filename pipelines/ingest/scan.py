"""Find the images of a crawl: folders, single files, lists of paths, tars of images.

Nothing is opened but lists and tars: what a file really holds is found out when it is
decoded. Everything found is either offered or counted in the `ScanSummary`; nothing is
dropped in silence.
"""

# Names stay plain text in the walk: a Path object per file costs more than its stat.
# ruff: noqa: PTH114, PTH116, PTH118, PTH208

import codecs
import os
import stat
import tarfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.ingest.path_lists import LIST_SUFFIXES, EntryKind, entries
from pipelines.origins.tables import OriginCounts
from pipelines.workspace.errors import ScanError
from pipelines.workspace.own_files import OwnFiles, own_members
from pipelines.workspace.uris import file_uri, quote_name, tar_index
from sinet.files.leftovers import ARCHIVE_SUFFIXES, left_out, left_out_folder


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file or tar member offered for ingestion.

    Attributes:
        uri: its identity, see `pipelines.workspace.uris`.
        size_bytes: None if the file could not be looked at (it fails later, accounted for).
        mtime_ns: modification time (a member has its tar's), None as `size_bytes`.
    """

    uri: str
    size_bytes: int | None
    mtime_ns: int | None


@dataclass(kw_only=True)
class PairCounts:
    """How pairing went.

    Attributes:
        found: photos with a mask.
        missing: photos without one.
        ambiguous: photos that might have several, or share one with another photo.
        unused: paths of masks of which the photo was not offered.
    """

    found: int = 0
    missing: int = 0
    ambiguous: int = 0
    unused: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ScanSummary:
    """What a scan left out; filled while its iterator is consumed.

    Attributes:
        offered: how many files and tar members were yielded.
        ignored: what lies beside photos, by kind: see `sinet.files.leftovers` (a folder counts
            once); `workspace` and `release` for what is our own, `mask` for masks among the
            photos, `comment` and `URL` for lines of lists.
        not_files: by kind: `fifo`, `socket`, `device`; of tars also `symbolic link`, `broken link`,
            `sparse file`, and `doubled name` for members that a later one replaces.
        unreadable: `(path, reason)` of each folder that could not be listed.
        broken_tars: `(path, reason)` of each damaged tar in a folder, offered as a file.
        notes: what somebody might take for read and is not, each with a way out: addresses in
            lists, packed archives; one line a list, and one for all archives.
        pairs: how photos and masks were paired; None: no masks came along.
        origins: how a table of origins fitted; None: there was none.
    """

    offered: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    not_files: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    broken_tars: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pairs: PairCounts | None = None
    origins: OriginCounts | None = None

    def leave_out_masks(self, number: int) -> None:
        """Count files that had been offered and turned out to be masks."""
        self.offered -= number
        self.ignored["mask"] += number
        self.ignored += Counter()  # drops zeros


def scan(paths: Sequence[Path], summary: ScanSummary | None = None) -> Iterator[FoundFile]:
    """Yield the files under `paths` in a fixed order (by the bytes of their names).

    A folder is walked with its subfolders and the tars in them; a `.txt` or `.lst` file is
    a list of paths, see `pipelines.ingest.path_lists`; a `.tar` is read through; any other file
    is offered as it is. What `sinet.files.leftovers` knows to be no photo is left out of folders
    and tars, never out of lists. Links to
    folders are followed once everything real has been walked, and no folder is walked
    twice. The same file named through two paths is yielded twice, under one URI.

    Args:
        paths: as given on the command line.
        summary: filled with what was left out, as the iterator advances.

    Raises:
        ScanError: at once if a path does not exist, cannot be read or is a packed archive;
            during iteration if a tar or list among `paths` turns out to be damaged.
    """
    for path in paths:
        _validate(path)
    return _Scan(summary if summary is not None else ScanSummary()).run(paths)


def _validate(path: Path) -> None:
    """Raise ScanError if a path of the command line cannot be offered."""
    name = str(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()
        elif not stat.S_ISREG(mode):
            raise ScanError(f"{name!r} is neither a file nor a folder: give one of these.")
        elif path.suffix.lower() in ARCHIVE_SUFFIXES:
            raise ScanError(
                f"{name!r} is a packed archive, whose members cannot be read at random: "
                "unpack it and give the folder, or pack it as a plain .tar."
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

    def __init__(self, summary: ScanSummary) -> None:
        self._summary = summary
        self._walked: set[tuple[int, int]] = set()  # (device, inode) of folders
        self._linked: deque[str] = deque()  # links to folders, kept for the end
        self._own = OwnFiles()

    def run(self, paths: Sequence[Path]) -> Iterator[FoundFile]:
        for found in self._all(paths):
            self._summary.offered += 1
            yield found

    def _all(self, paths: Sequence[Path]) -> Iterator[FoundFile]:
        for path in paths:
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
            else:
                yield _found(str(path))
        while self._linked:
            yield from self._folder(self._linked.popleft())
        archives = sum(self._summary.ignored[suffix] for suffix in ARCHIVE_SUFFIXES)
        archives += sum(self._summary.ignored[f".tar{suffix}"] for suffix in ARCHIVE_SUFFIXES)
        if archives:
            self._summary.notes.append(
                f"{archives:,} packed archives were not opened: unpack them, or pack plain .tar"
            )

    def _list(self, path: Path) -> Iterator[FoundFile]:
        """Offer the lines of a list, and say what is none."""
        urls = []
        for entry in entries(path):
            if entry.kind is EntryKind.PATH:
                yield from self._listed(path.parent / entry.text)
            else:
                self._summary.ignored[str(entry.kind)] += 1
                if entry.kind is EntryKind.URL:
                    urls.append(entry.text)
        if urls:
            self._summary.notes.append(
                f"{path}: {len(urls):,} lines are addresses, first {urls[0]}; nothing is "
                "downloaded here: fetch them, for instance with img2dataset, and give its folder"
            )

    def _listed(self, path: Path) -> Iterator[FoundFile]:
        """Offer one line of a list, whatever it is called and even if it is missing."""
        if path.is_dir():
            yield from self._folder(str(path))
        elif self._is_own(str(path)):
            return
        elif path.suffix.lower() == ".tar":
            yield from self._tar_or_file(str(path))
        else:
            yield _found(str(path))

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
        for name in names:
            if name.startswith(b"."):
                self._summary.ignored["hidden"] += 1
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
        self._summary.not_files.update(index.not_files)
        prefix = f"{file_uri(path)}#"
        mtime_ns = os.stat(path).st_mtime_ns
        ours = own_members(index.members)
        for name, member in index.members.items():
            own = next((own for start, own in ours.items() if name.startswith(start)), None)
            if own is not None:
                self._summary.ignored[own] += 1
                continue
            *folders, last = [part for part in name.split("/") if part.strip(".")] or [name]
            reason = next(filter(None, map(left_out_folder, folders)), None) or left_out(last)
            if reason is not None:
                self._summary.ignored[reason] += 1
            else:
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
