"""Files inside of uncompressed tar archives, read from where they lie: nothing is unpacked."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sinet.errors import DataError


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar archive; of a path it has what a reader of pictures asks for.

    Attributes:
        archive: the tar file.
        name: within it.
        offset: of its first byte in the archive.
        size: in bytes.
    """

    archive: Path
    name: str
    offset: int
    size: int

    def read_bytes(self) -> bytes:
        """Return its content.

        Raises:
            OSError: the archive cannot be read.
        """
        with self.archive.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    @property
    def parent(self) -> Path:
        """The archive: what messages name in place of a folder."""
        return self.archive

    def __str__(self) -> str:
        """Archive and name."""
        return f"{self.archive}:{self.name}"


def members(archive: Path) -> Iterator[Member]:
    """List the files of an archive, in its order; only their headers are read.

    Raises:
        DataError: it is no tar archive without compression, or cut off.
    """
    end = 0
    try:
        with tarfile.open(archive, "r:") as tar:
            for each in tar:
                if each.isfile():
                    yield Member(archive, each.name, each.offset_data, each.size)
                end = max(end, each.offset_data + each.size)
                tar.members = []  # type: ignore[attr-defined]  # it would keep them all
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{archive}: no tar archive that can be read ({error}).") from error
    # An archive ends with two empty blocks; `tarfile` takes a cut before a header for its end, too.
    if archive.stat().st_size < (-(-end // tarfile.BLOCKSIZE) + 2) * tarfile.BLOCKSIZE:
        raise DataError(f"{archive}: cut off; copy it again.")
