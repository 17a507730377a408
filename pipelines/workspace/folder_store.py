"""Blobs in a local folder."""

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.files import open_regular
from pipelines.workspace.store import (
    BlobKind,
    Temporary,
    blob_key,
    digest_of,
    is_key,
    removed_each,
    storage_message,
)

_T = TypeVar("_T")
_TEMPORARY = "tmp"
IDENTITY_FILE = "workspace-id"
"""Says whose store it is."""
FOLDER_MARK = "folder"
"""What tells the folder of a workspace from buckets."""
_ASIDE = "@"
_PATIENCE_SECONDS = (0.02, 0.2, 0.5)
# File systems without finer times would not show a smaller step.
_STEP_NS = (1, 2 * 10**9)


class FolderStore:
    """Blobs in a local folder, each a file.

    A blob is written under a temporary name, flushed to disk and renamed, so that a key names a
    whole blob or none, whenever the process or the machine stops.
    """

    def __init__(self, root: Path, owner: str, note: Callable[[str], None] | None = None) -> None:
        """Open a store.

        Args:
            root: the folder; made when the first blob is written.
            owner: prefix of this process's temporary files, so that the leftovers of a dead
                process can be told from files that are being written.
            note: told each key before it is looked for or written: see `intents`.
        """
        self.root = root
        self._absolute = root.absolute()
        self._owner = owner
        self._note = note or (lambda _: None)
        self._serial = itertools.count()

    @property
    def local_root(self) -> Path:
        """See `Store`."""
        return self._absolute

    def put(self, kind: BlobKind, data: bytes, *, anew: bool = False) -> str:
        """See `Store`."""
        key = blob_key(kind, hashlib.sha256(data).hexdigest())
        target = self.root / key
        temporary = self._temporary()
        try:
            self._note(key)
            if not anew and _is_there(target, len(data)):
                return key
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise WorkspaceError(storage_message(target, error)) from error
        return key

    def get(self, key: str) -> bytes:
        """See `Store`."""
        path = self.local_path(key)
        try:
            data = _patiently(lambda: _read(path))
        except OSError as error:
            raise _unreadable(path, error) from error
        if hashlib.sha256(data).hexdigest() != digest_of(key):
            raise _damaged(path)
        return data

    def size(self, key: str) -> int:
        """See `Store`."""
        path = self.local_path(key)
        try:
            return _patiently(path.stat).st_size
        except OSError as error:
            raise _unreadable(path, error) from error

    def sha256(self, key: str) -> tuple[str | None, int]:
        """See `Store`."""
        path = self.local_path(key)
        try:
            return _patiently(lambda: _hash(path))
        except FileNotFoundError:
            return None, 0
        except OSError as error:
            raise _unreadable(path, error) from error

    def where(self, key: str) -> str:
        """See `Store`."""
        return str(self.local_path(key))

    def local_path(self, key: str) -> Path:
        """See `Store`."""
        # Text: of an export's time, taking `Path`s apart would be a tenth.
        if key.startswith("/") or ".." in key.split("/"):
            raise WorkspaceError(f"{key!r} is not a key of the store {self.root}")
        return self._absolute / key

    def copy(self, key: str, target: Path, *, link: bool = False) -> None:
        """See `Store`."""
        if link:
            digest, _ = self.sha256(key)
            path = self.local_path(key)
            if digest is None:
                raise WorkspaceError(_missing(path))
            if digest != digest_of(key):
                raise _damaged(path)
            try:
                os.link(path, target)
            except FileExistsError:
                raise
            except OSError:  # another disk, or a file system without links
                link = False
        if not link:
            data = self.get(key)
            with target.open("xb") as file:
                file.write(data)

    def keys(self) -> Iterator[str]:
        """See `Store`."""
        for kind in BlobKind:
            for folder in (self.root / kind).glob("[0-9a-f][0-9a-f]"):
                keys = (f"{kind}/{folder.name}/{path.name}" for path in folder.iterdir())
                yield from (key for key in keys if is_key(key))

    def version(self, key: str) -> str | None:
        """See `Store`."""
        try:
            return _version(self.local_path(key).stat())
        except FileNotFoundError:
            return None

    def remove_all(
        self, versions: Mapping[str, str], wanted: Callable[[Sequence[str]], set[str]]
    ) -> dict[str, int]:
        """See `Store`."""
        del wanted  # every `put` is seen
        return removed_each(self.remove, versions)

    def remove(self, key: str, version: str) -> int | None:
        """Remove a blob, unless it was put since it had this version.

        A blob is moved aside before it is looked at again: a `put` that comes later writes it
        anew, one that came earlier has touched it, and then it is moved back; after a kill in
        between `discard_temporaries` does that.

        Returns:
            Bytes that were freed; None if it was put meanwhile, or is not there.

        Raises:
            WorkspaceError: this is no key, or the blob cannot be removed.
        """
        target = self.local_path(key)
        aside = self.root / _TEMPORARY / f"{self._owner}.{_ASIDE.join(_parts(key))}"
        try:
            if self.version(key) != version:
                return None  # not moved at all, if that can be helped: somebody may be reading it
            aside.parent.mkdir(parents=True, exist_ok=True)
            target.rename(aside)
            found = aside.stat()
            if _version(found) != version:
                aside.rename(target)
                return None
            aside.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WorkspaceError(storage_message(target, error)) from error
        return found.st_size

    def identity(self) -> str | None:
        """See `Store`."""
        try:
            return (self.root / IDENTITY_FILE).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self.root / IDENTITY_FILE, error) from error

    def identify(self, key: str) -> None:
        """See `Store`."""
        temporary = self._temporary()
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(f"{key}\n", encoding="utf-8")
            temporary.replace(self.root / IDENTITY_FILE)
        except OSError as error:
            raise WorkspaceError(storage_message(self.root / IDENTITY_FILE, error)) from error

    def token(self) -> str:
        """See `Store`; a folder goes with its workspace, wherever that is moved or copied."""
        return FOLDER_MARK

    def mark(self, token: str) -> str:
        """See `Store`."""
        del token
        return FOLDER_MARK

    def temporaries(self) -> list[Temporary]:
        """See `Store`."""
        found = []
        for path in self._temporary_files("*"):
            try:
                size = path.stat().st_size
            except FileNotFoundError:  # it has just been finished
                continue
            found.append(Temporary(owner=path.name.rpartition(".")[0], size_bytes=size))
        return found

    def discard_temporaries(self, owner: str) -> None:
        """See `Store`."""
        for leftover in self._temporary_files(f"{owner}.*"):
            kind, *rest = leftover.name.rpartition(".")[2].split(_ASIDE)
            if not rest:
                leftover.unlink(missing_ok=True)
            else:
                leftover.replace(self.root / blob_key(BlobKind(kind), rest[0]))

    def _temporary(self) -> Path:
        return self.root / _TEMPORARY / f"{self._owner}.{next(self._serial)}"

    def _temporary_files(self, pattern: str) -> list[Path]:
        folder = self.root / _TEMPORARY
        return sorted(folder.glob(pattern)) if folder.is_dir() else []


def _parts(key: str) -> tuple[str, str]:
    """Kind and digest."""
    return key.partition("/")[0], digest_of(key)


def _missing(path: Path) -> str:
    return f"{path}: a blob that the database names is missing"


def _damaged(path: Path) -> WorkspaceError:
    return WorkspaceError(f"{path}: this blob is damaged: its content does not match its name")


def _unreadable(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{path}: a blob that the database names cannot be read ({error.strerror or error})"
    )


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read()


def _hash(path: Path) -> tuple[str, int]:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def _patiently(read: Callable[[], _T]) -> _T:
    """What is read of a blob; one that is missing may be aside for a moment: see `remove`."""
    for seconds in _PATIENCE_SECONDS:
        try:
            return read()
        except FileNotFoundError:
            time.sleep(seconds)
    return read()


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino} {found.st_mtime_ns}"


def _is_there(path: Path, size: int) -> bool:
    """Whether a blob needs not be written; then it has another version from now on.

    Its time is counted up from what it was: the clock may have gone back since.
    """
    try:
        found = path.stat()
        if found.st_size != size:
            return False
        for step in _STEP_NS:
            os.utime(path, ns=(found.st_atime_ns, max(time.time_ns(), found.st_mtime_ns + step)))
            if _version(path.stat()) != _version(found):
                break
    except FileNotFoundError:
        return False
    return True
