"""A store in memory that fails on demand, as disks and networks do."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.store import (
    BlobKind,
    Temporary,
    blob_key,
    digest_of,
    is_key,
    removed_each,
)


class FakeStore:
    """Blobs in memory, in no folder of any machine.

    Attributes:
        room: bytes that still fit; None: any number. Then `put` fails as on a full disk.
        delay_seconds: that every access takes.
    """

    def __init__(self, *, room: int | None = None, delay_seconds: float = 0.0) -> None:
        """Make an empty store."""
        self.room = room
        self.delay_seconds = delay_seconds
        self._blobs: dict[str, bytes] = {}
        self._puts: dict[str, int] = {}
        self._identity: str | None = None
        self._token: str | None = None

    def lose(self, key: str) -> None:
        """Make a blob go missing."""
        del self._blobs[key]

    def damage(self, key: str) -> None:
        """Change a byte of a blob."""
        data = self._blobs[key]
        self._blobs[key] = bytes([data[0] ^ 1]) + data[1:]

    @property
    def local_root(self) -> None:
        """See `Store`."""
        return

    def put(self, kind: BlobKind, data: bytes, *, anew: bool = False) -> str:
        """See `Store`."""
        self._wait()
        key = blob_key(kind, hashlib.sha256(data).hexdigest())
        if anew or len(self._blobs.get(key, b"")) != len(data):
            if self.room is not None and len(data) > self.room:
                raise WorkspaceError(
                    f"{self.where(key)}: no space left on the disk; free some and run the same "
                    "command again"
                )
            self.room = None if self.room is None else self.room - len(data)
            self._blobs[key] = data
        self._puts[key] = self._puts.get(key, 0) + 1
        return key

    def get(self, key: str) -> bytes:
        """See `Store`."""
        self._wait()
        data = self._found(key)
        if hashlib.sha256(data).hexdigest() != digest_of(key):
            raise WorkspaceError(
                f"{self.where(key)}: this blob is damaged: its content does not match its name"
            )
        return data

    def size(self, key: str) -> int:
        """See `Store`."""
        self._wait()
        return len(self._found(key))

    def sha256(self, key: str) -> tuple[str | None, int]:
        """See `Store`."""
        self._wait()
        self._require_key(key)
        data = self._blobs.get(key)
        return (None, 0) if data is None else (hashlib.sha256(data).hexdigest(), len(data))

    def where(self, key: str) -> str:
        """See `Store`."""
        self._require_key(key)
        return f"memory://{key}"

    def local_path(self, key: str) -> None:
        """See `Store`."""
        self._require_key(key)

    def copy(self, key: str, target: Path, *, link: bool = False) -> None:
        """See `Store`."""
        del link  # nothing to share
        data = self.get(key)
        with target.open("xb") as file:
            file.write(data)

    def keys(self) -> Iterator[str]:
        """See `Store`."""
        return iter(list(self._blobs))

    def version(self, key: str) -> str | None:
        """See `Store`."""
        self._require_key(key)
        return str(self._puts[key]) if key in self._blobs else None

    def remove_all(
        self, versions: Mapping[str, str], wanted: Callable[[Sequence[str]], set[str]]
    ) -> dict[str, int]:
        """See `Store`."""
        del wanted  # every `put` is seen
        return removed_each(self.remove, versions)

    def remove(self, key: str, version: str) -> int | None:
        """As `FolderStore.remove`."""
        self._wait()
        return None if self.version(key) != version else len(self._blobs.pop(key))

    def identity(self) -> str | None:
        """See `Store`."""
        return self._identity

    def identify(self, key: str) -> None:
        """See `Store`."""
        self._identity = key

    def token(self) -> str | None:
        """See `Store`."""
        return self._token

    def mark(self, token: str) -> str:
        """See `Store`."""
        self._token = self._token or token
        return self._token

    def temporaries(self) -> list[Temporary]:
        """See `Store`."""
        return []

    def discard_temporaries(self, owner: str) -> None:
        """See `Store`."""

    def _found(self, key: str) -> bytes:
        self._require_key(key)
        try:
            return self._blobs[key]
        except KeyError:
            raise WorkspaceError(
                f"{self.where(key)}: a blob that the database names cannot be read (missing)"
            ) from None

    def _require_key(self, key: str) -> None:
        if not is_key(key):
            raise WorkspaceError(f"{key!r} is not a key of this store")

    def _wait(self) -> None:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
