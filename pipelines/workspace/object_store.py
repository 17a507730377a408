"""Blobs in a bucket, or in a folder of one, each an object.

A PUT is whole or has not happened, so a key names a whole blob or none. Blobs are created only
where there is none: two that put the same one at the same time both succeed, and nothing that is
there is written over, unless it has another length or checksum than it should.

**What `gc` removes, nobody has put meanwhile.** A bucket has no rename, deletes without conditions
(S3 knows `If-Match` for DELETE, but a blob that is put again has the same ETag), and tells times in
whole seconds. So what a `put` finds there cannot be marked, and a look at the object before its
removal proves nothing. Instead `remove_all` looks afterwards:

1. it takes the blob into its memory, and a copy aside in the bucket, under its owner's name;
2. it deletes the blob;
3. only then it asks which of the keys are wanted: noted by somebody at work, or named by a row;
4. what is wanted it creates again; then it deletes the copy.

Whoever puts notes the key first (`intents`), and strikes it out only after a row names it. If the
put came before 2, its note or its row is there in 3, and the blob comes back in 4. If it came after
2, it has found nothing there and has created the blob, which nobody touches any more. Notes are
read before rows, so that one which is struck out meanwhile is found as a row. A process that was
stopped between any two steps, taken for dead and woken again still has the blob in its memory, and
does 3 and 4. If it is killed between 2 and 4, whoever clears up after it puts the copy back
(`discard_temporaries`); a later `gc` removes it properly. Readers wait for a moment when a blob
is missing. No clock is compared with another, and no lease is trusted.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pipelines.workspace.blob_cache import BlobCache
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.folder_store import IDENTITY_FILE
from pipelines.workspace.object_access import PATIENT, Bucket, Patience, open_place, pause
from pipelines.workspace.object_errors import MissingObjectError
from pipelines.workspace.object_places import Place
from pipelines.workspace.store import BlobKind, Temporary, blob_key, digest_of, is_key

_T = TypeVar("_T")
_Item = TypeVar("_Item")
MARK_FILE = "store-id"
"""Says which bucket it is, of those that hold blobs of one workspace."""
_TEMPORARY = "tmp"
_ASIDE = "@"
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_MISSING_SECONDS = (0.05, 0.2, 0.5, 1.0)
# Blobs in memory while they are removed: some 50 MB.
_REMOVED_AT_ONCE = 512
_THREADS = 8


class ObjectStore:
    """See `Store`."""

    def __init__(
        self,
        place: Place,
        owner: str,
        note: Callable[[str], None] | None = None,
        cache: BlobCache | None = None,
        patience: Patience = PATIENT,
    ) -> None:
        """Nothing is asked of the bucket yet.

        Args:
            place: of the blobs.
            owner: this process, by whose name copies aside are told from those of the dead.
            note: told each key before it is looked for or written: see `intents`.
            cache: of blobs on this machine; None: each is read from the bucket.
            patience: how long the bucket is tried.
        """
        self.place = place
        self._owner = owner
        self._note = note or (lambda _: None)
        self._cache = cache
        self._patience = patience

    @cached_property
    def _bucket(self) -> Bucket:
        return open_place(self.place, self._patience)

    @property
    def local_root(self) -> None:
        """See `Store`."""
        return

    def put(self, kind: BlobKind, data: bytes, *, anew: bool = False) -> str:
        """See `Store`."""
        key = blob_key(kind, hashlib.sha256(data).hexdigest())
        self._note_down(key)
        if anew or not (self._bucket.create(key, data) or self._is_there(key, data)):
            self._bucket.replace(key, data)
        if self._cache is not None:
            self._cache.keep(key, data)
        return key

    def get(self, key: str) -> bytes:
        """See `Store`."""
        self._require_key(key)
        if self._cache is not None:
            cached = self._cache.get(key)
            if cached is not None:
                return cached
        data = self._whole(key)
        if self._cache is not None:
            self._cache.keep(key, data)
        return data

    def size(self, key: str) -> int:
        """See `Store`."""
        self._require_key(key)

        def look() -> int:
            found = self._bucket.find(key)
            if found is None:
                raise MissingObjectError(self.where(key))
            return found.size

        return self._patiently(key, look)

    def sha256(self, key: str) -> tuple[str | None, int]:
        """See `Store`."""
        self._require_key(key)
        try:
            data, digest = _patiently(lambda: self._read(key))
        except MissingObjectError:
            return None, 0
        return digest, len(data)

    def where(self, key: str) -> str:
        """See `Store`."""
        self._require_key(key)
        return self.place.where(key)

    def local_path(self, key: str) -> None:
        """See `Store`."""
        self._require_key(key)

    def copy(self, key: str, target: Path, *, link: bool = False) -> None:
        """See `Store`."""
        # What is linked stands in for the store, as a backup does: a cached blob would hide a loss.
        data = self._whole(key) if link else self.get(key)
        with target.open("xb") as file:
            file.write(data)

    def keys(self) -> Iterator[str]:
        """See `Store`."""
        for kind in BlobKind:
            for found in self._bucket.list(kind):
                if is_key(found.path):
                    yield found.path

    def version(self, key: str) -> str | None:
        """See `Store`."""
        self._require_key(key)
        found = self._bucket.find(key)
        if found is None:
            return None
        return f"{found.e_tag} {found.version} {found.modified.isoformat()}"

    def remove_all(
        self, versions: Mapping[str, str], wanted: Callable[[Sequence[str]], set[str]]
    ) -> dict[str, int]:
        """See `Store`, and the module."""
        freed: dict[str, int] = {}
        keys = list(versions)
        for begin in range(0, len(keys), _REMOVED_AT_ONCE):
            piece = {key: versions[key] for key in keys[begin : begin + _REMOVED_AT_ONCE]}
            freed |= self._remove(piece, wanted)
        return freed

    def identity(self) -> str | None:
        """See `Store`."""
        return self._said(IDENTITY_FILE)

    def identify(self, key: str) -> None:
        """See `Store`."""
        self._bucket.create(IDENTITY_FILE, f"{key}\n".encode())
        if self.identity() != key:
            raise WorkspaceError(
                f"{self.place.url}: another workspace has just taken this store; name another "
                "folder of the bucket"
            )

    def token(self) -> str | None:
        """See `Store`."""
        return self._said(MARK_FILE)

    def mark(self, token: str) -> str:
        """See `Store`."""
        self._bucket.create(MARK_FILE, f"{token}\n".encode())
        return self.token() or token

    def temporaries(self) -> list[Temporary]:
        """See `Store`."""
        return [
            Temporary(owner=_file_name(found.path).rpartition(".")[0], size_bytes=found.size)
            for found in self._bucket.list(_TEMPORARY)
        ]

    def discard_temporaries(self, owner: str) -> None:
        """See `Store`; what a dead process had set aside comes back."""
        for found in list(self._bucket.list(_TEMPORARY)):
            of, _, name = _file_name(found.path).rpartition(".")
            kind, at, digest = name.partition(_ASIDE)
            if of != owner or not at:
                continue
            try:
                self._bucket.create(blob_key(BlobKind(kind), digest), self._bucket.read(found.path))
            except MissingObjectError:  # another process was quicker
                continue
            self._bucket.delete(found.path)

    def _said(self, name: str) -> str | None:
        try:
            return self._bucket.read(name).decode("utf-8", "replace").strip()
        except MissingObjectError:
            return None

    def _is_there(self, key: str, data: bytes) -> bool:
        """Whether what is under a key is the blob; where its server's word is none, it is read."""
        found = self._bucket.find(key)
        if found is None or found.size != len(data):
            return False
        # Of a PUT in one piece to most servers, unless they encrypt with a key of its owner's.
        md5 = _MD5.fullmatch(found.e_tag or "")
        if md5 is not None and md5[1] == hashlib.md5(data, usedforsecurity=False).hexdigest():
            return True
        try:
            return self._bucket.read(key) == data
        except MissingObjectError:
            return False

    def _whole(self, key: str) -> bytes:
        """A blob from the bucket, checked."""
        self._require_key(key)
        data, digest = self._patiently(key, lambda: self._read(key))
        if digest != digest_of(key):
            raise WorkspaceError(
                f"{self.where(key)}: this blob is damaged: its content does not match its name"
            )
        return data

    def _read(self, key: str) -> tuple[bytes, str]:
        """What is there, and its hash; bytes that a network has changed are asked for again."""
        attempt = 0
        while True:
            data = self._bucket.read(key)
            digest = hashlib.sha256(data).hexdigest()
            attempt += 1
            if digest == digest_of(key) or attempt >= min(3, self._patience.attempts):
                return data, digest
            pause(attempt, self._patience)

    def _patiently(self, key: str, read: Callable[[], _T]) -> _T:
        try:
            return _patiently(read)
        except MissingObjectError as error:
            raise WorkspaceError(
                f"{self.where(key)}: a blob that the database names cannot be read (missing)"
            ) from error

    def _remove(
        self, versions: Mapping[str, str], wanted: Callable[[Sequence[str]], set[str]]
    ) -> dict[str, int]:
        taken: dict[str, bytes] = {}

        def take(key: str) -> None:
            if self.version(key) != versions[key]:
                return
            try:
                data = self._bucket.read(key)
            except MissingObjectError:
                return
            self._bucket.replace(self._aside(key), data)
            taken[key] = data

        def give_back(key: str) -> None:
            self._bucket.create(key, taken[key])

        back: set[str] = set(versions)
        try:
            _in_threads(take, list(versions))
            _in_threads(self._bucket.delete, list(taken))
            back = wanted(list(taken)) if taken else set()
        finally:
            _in_threads(give_back, [key for key in taken if key in back])
            _in_threads(self._bucket.delete, [self._aside(key) for key in taken])
        gone = {key: len(data) for key, data in taken.items() if key not in back}
        if self._cache is not None:
            for key in gone:
                self._cache.discard(key)
        return gone

    def _aside(self, key: str) -> str:
        kind = key.partition("/")[0]
        return f"{_TEMPORARY}/{self._owner}.{kind}{_ASIDE}{digest_of(key)}"

    def _note_down(self, key: str) -> None:
        try:
            self._note(key)
        except OSError as error:
            where = error.filename or "the workspace's folder"
            raise WorkspaceError(
                f"{where}: cannot be written ({error.strerror or error}); check the folder's "
                "permissions"
            ) from error

    def _require_key(self, key: str) -> None:
        if not is_key(key):
            raise WorkspaceError(f"{key!r} is not a key of the store {self.place.url}")


def _patiently(read: Callable[[], _T]) -> _T:
    """What is read of a blob; one that is missing may be aside for a moment."""
    for seconds in _MISSING_SECONDS:
        try:
            return read()
        except MissingObjectError:
            time.sleep(seconds)
    return read()


def _in_threads(work: Callable[[_Item], object], items: Sequence[_Item]) -> None:
    """Do all of it, and then raise what one of them raised."""
    if not items:
        return
    with ThreadPoolExecutor(min(_THREADS, len(items))) as pool:
        for done in [pool.submit(work, item) for item in items]:
            done.result()


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]
