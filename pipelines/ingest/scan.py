"""Find the images of a crawl: folders, single files, lists of paths, tars of images.

Nothing is opened but lists and tars: what a file really holds is found out when it is
decoded. Everything found is either offered or counted in the `ScanSummary`; nothing is
dropped in silence.
"""

# Names stay plain text in the walk: a Path object per file costs more than its stat.
# ruff: noqa: PTH114, PTH116, PTH118, PTH122, PTH208

import codecs
import mmap
import os
import stat
import tarfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.workspace.errors import ScanError
from pipelines.workspace.uris import file_uri, quote_name, tar_members

# Written beside the images by crawlers, dataset tools and file managers; never images.
SIDECAR_SUFFIXES = frozenset(
    {
        ".cls", ".css", ".csv", ".db", ".htm", ".html", ".idx", ".ini", ".js", ".json",
        ".jsonl", ".log", ".lst", ".md", ".md5", ".npy", ".npz", ".parquet", ".pkl", ".sha1",
        ".sha256", ".sqlite", ".toml", ".tsv", ".txt", ".url", ".xml", ".yaml", ".yml",
    }
)  # fmt: skip
LIST_SUFFIXES = frozenset({".lst", ".txt"})
# Their members cannot be read at random, and every image must be readable on its own.
PACKED_SUFFIXES = (
    ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".zip", ".7z",
)  # fmt: skip


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


@dataclass(slots=True)
class ScanSummary:
    """What a scan left out; filled while its iterator is consumed.

    Attributes:
        offered: how many files and tar members were yielded.
        ignored: metadata by lower-case suffix; `hidden` for names with a leading dot
            (a hidden folder counts once).
        skipped: what is no file, by kind: `fifo`, `socket`, `device`.
        unreadable: `(path, reason)` of each folder that could not be listed.
        broken_tars: `(path, reason)` of each damaged tar in a folder, offered as a file.
    """

    offered: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    broken_tars: list[tuple[str, str]] = field(default_factory=list)


def scan(paths: Sequence[Path], summary: ScanSummary | None = None) -> Iterator[FoundFile]:
    """Yield the files under `paths` in a fixed order (by the bytes of their names).

    A folder is walked with its subfolders and the tars in them; a `.txt` or `.lst` file is
    a list of paths, one per line (NUL-separated if it holds a NUL byte), relative to the
    list's folder; a `.tar` is read through; any other file is offered as it is. Hidden
    files and known metadata are left out of folders and tars, never out of lists. Links to
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
        elif name.lower().endswith(PACKED_SUFFIXES):
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

    def run(self, paths: Sequence[Path]) -> Iterator[FoundFile]:
        for found in self._all(paths):
            self._summary.offered += 1
            yield found

    def _all(self, paths: Sequence[Path]) -> Iterator[FoundFile]:
        for path in paths:
            suffix = path.suffix.lower()
            if path.is_dir():
                yield from self._folder(str(path))
            elif suffix == ".tar":
                try:
                    yield from self._tar(str(path))
                except tarfile.TarError as error:
                    raise _broken_tar(str(path), error) from error
            elif suffix in LIST_SUFFIXES:
                for line in _lines(path):
                    yield from self._listed(path.parent / os.fsdecode(line))
            else:
                yield _found(str(path))
        while self._linked:
            yield from self._folder(self._linked.popleft())

    def _listed(self, path: Path) -> Iterator[FoundFile]:
        """Offer one line of a list, whatever it is called and even if it is missing."""
        if path.is_dir():
            yield from self._folder(str(path))
        elif path.suffix.lower() == ".tar":
            yield from self._tar_or_file(str(path))
        else:
            yield _found(str(path))

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
                    if os.path.islink(path):
                        self._linked.append(path)
                        continue
                    levels.append(self._names(path))
                    break
                suffix = os.path.splitext(path)[1].lower()
                if not stat.S_ISREG(status.st_mode):
                    self._summary.skipped[_kind(status.st_mode)] += 1
                elif suffix in SIDECAR_SUFFIXES:
                    self._summary.ignored[suffix] += 1
                elif suffix == ".tar":
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
        members = tar_members(path)  # complete: a damaged tar is known before a member is
        prefix = f"{file_uri(path)}#"
        mtime_ns = os.stat(path).st_mtime_ns
        for name, member in members.items():
            suffix = os.path.splitext(name)[1].lower()
            if any(part.startswith(".") and part.strip(".") for part in name.split("/")):
                self._summary.ignored["hidden"] += 1
            elif suffix in SIDECAR_SUFFIXES:
                self._summary.ignored[suffix] += 1
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


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the non-blank entries of a list file, without reading it whole."""
    with path.open("rb") as handle:
        if os.fstat(handle.fileno()).st_size == 0:  # which mmap refuses
            return
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as text:
            separator = b"\n" if text.find(b"\0") < 0 else b"\0"
            start = len(codecs.BOM_UTF8) if text[:3] == codecs.BOM_UTF8 else 0
            while start < len(text):
                end = text.find(separator, start)
                end = len(text) if end < 0 else end
                line = text[start:end]
                if separator == b"\n":
                    line = line.removesuffix(b"\r")
                if line.strip():
                    yield line
                start = end + 1
