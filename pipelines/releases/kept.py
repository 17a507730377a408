"""A release's members, kept on the disk: a million of them would not go into memory.

They are written once, in any order, and read in whatever order and part is asked for.
"""

import os
import pickle
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

from pipelines.releases.entry import Entry


class _Read(Sequence[Entry]):
    """Entries that are read whenever one is asked for."""

    def _entry(self, place: int) -> Entry:
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        """Read one, or some."""
        places = range(len(self))[index]
        return self._entry(places) if isinstance(places, int) else [*map(self._entry, places)]


class KeptEntries(_Read):
    """Entries in a file without a name, which goes with the last who holds it.

    Every access reads the disk: go through them in order, and not more often than needed.
    """

    def __init__(self, folder: Path) -> None:
        """Begin without any.

        Args:
            folder: on a disk with room for about a kibibyte an entry.
        """
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._ends = array("Q", [0])

    def append(self, entry: Entry) -> None:
        """Add one at the end."""
        data = pickle.dumps(entry, pickle.HIGHEST_PROTOCOL)
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._ends) - 1

    def _entry(self, place: int) -> Entry:
        start, end = self._ends[place], self._ends[place + 1]
        self._file.flush()
        # Only this process has written the file, which nobody else can open.
        entry: Entry = pickle.loads(os.pread(self._file.fileno(), end - start, start))  # noqa: S301
        return entry


class Part(_Read):
    """Some of other entries, in an order of its own."""

    def __init__(self, entries: Sequence[Entry], indices: Iterable[int]) -> None:
        """Choose.

        Args:
            entries: to choose from.
            indices: which, in order.
        """
        self._entries = entries
        self._indices = array("Q", indices)

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._indices)

    def _entry(self, place: int) -> Entry:
        return self._entries[self._indices[place]]


def order_of(names: Sequence[str]) -> list[int]:
    """Where each stands that comes next by name."""
    return sorted(range(len(names)), key=names.__getitem__)
