"""Hashes of many files, as quickly as the disk or the cores allow, in bounded memory."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from db import chunks
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.files import open_regular
from pipelines.workspace.store import Store

_T = TypeVar("_T")
_Item = TypeVar("_Item")

# Small files come in pieces, so that handing them over costs little.
_PIECE = 64


@dataclass(frozen=True, slots=True)
class Hashed(Generic[_T]):
    """A file's hash.

    Attributes:
        item: what the file was asked for with.
        sha256: of its bytes; None if it could not be read.
        size_bytes: that were read.
        error: why it could not be read; None for a file that is not there.
    """

    item: _T
    sha256: str | None
    size_bytes: int = 0
    error: str | None = None


def hash_files(files: Iterable[tuple[_T, Path]]) -> Iterator[Hashed[_T]]:
    """Hash files in several threads (the interpreter's lock is not held while hashing).

    A link, or a pipe, is no file: it has an error and no hash.

    Args:
        files: anything that stands for a file, and its path; taken as they are needed.

    Yields:
        One result a file, in order.
    """
    return _in_threads(lambda file: _hash(*file), files)


def hash_blobs(blobs: Iterable[tuple[_T, str]], store: Store) -> Iterator[Hashed[_T]]:
    """`hash_files` for blobs of a store.

    Args:
        blobs: anything that stands for a blob, and its key.
        store: that has them.
    """

    def look(blob: tuple[_T, str]) -> Hashed[_T]:
        item, key = blob
        try:
            return Hashed(item, *store.sha256(key))
        except WorkspaceError as error:
            return Hashed(item, None, error=str(error))

    return _in_threads(look, blobs)


def _in_threads(
    look: Callable[[_Item], Hashed[_T]], items: Iterable[_Item]
) -> Iterator[Hashed[_T]]:
    threads = min(8, (os.cpu_count() or 1) + 1)
    ahead: deque[Future[list[Hashed[_T]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for piece in chunks(items, _PIECE):
            ahead.append(pool.submit(lambda piece: [look(item) for item in piece], piece))
            if len(ahead) > 2 * threads:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


def _hash(item: _T, path: Path) -> Hashed[_T]:
    try:
        with open_regular(path, links=False) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Hashed(item, digest, file.tell())
    except FileNotFoundError:
        return Hashed(item, None)
    except OSError as error:
        return Hashed(item, None, error=error.strerror or str(error))
