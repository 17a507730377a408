"""What is in a tar or zip, whatever the file is read from.

Names are surrogateescape text, only ever used as names: nothing is unpacked to the disk. Of members
with the same name the last counts, as it would on unpacking.
"""

import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple


class Member(NamedTuple):
    """Where the bytes of one regular member lie.

    Attributes:
        offset: of its bytes in a tar, of its header in a zip.
        size: number of bytes, unpacked.
    """

    offset: int
    size: int


class Index(NamedTuple):
    """What is in an archive: files by name, and how many members are none, by kind."""

    members: Mapping[str, Member]
    not_files: Mapping[str, int]


def tar_index_of(file: BinaryIO, size: int) -> Index:
    """The files of an uncompressed tar, in the order of the archive.

    A hard link is a file with the bytes of the member that it links to. What has no bytes to seek
    to is counted: symbolic links, which may lead anywhere, devices and sparse members.

    Args:
        file: can be sought in.
        size: of it.

    Raises:
        tarfile.TarError: not an uncompressed tar, or cut off or damaged at some member.
        OSError: the file cannot be read.
    """
    members: dict[str, Member] = {}
    not_files: Counter[str] = Counter()
    # Explicit: the default encoding follows the locale, and an identity must not.
    with tarfile.open(
        fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape"
    ) as archive:
        while (entry := archive.next()) is not None:
            # tarfile keeps every TarInfo, 1 kB each; a shard may have millions.
            archive.members = []  # type: ignore[attr-defined]
            found = _member(entry, members)
            if isinstance(found, str):
                not_files[found] += 1
            elif found is not None:
                not_files["doubled name"] += members.pop(entry.name, None) is not None
                members[entry.name] = found
                if found.offset + found.size > size:
                    raise tarfile.ReadError(f"cut off inside {entry.name!r}")
        end = archive.offset
    # tarfile takes a damaged header in the middle for the end of the archive.
    file.seek(end)
    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"damaged header at byte {end:,}")
    return Index(members, +not_files)


def zip_index_of(archive: zipfile.ZipFile) -> Index:
    """The files of a zip, in the order of its directory; encrypted ones and links are counted."""
    members: dict[str, Member] = {}
    not_files: Counter[str] = Counter()
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        if entry.flag_bits & 1:
            not_files["encrypted"] += 1
        elif stat.S_ISLNK(entry.external_attr >> 16):
            not_files["symbolic link"] += 1
        else:
            not_files["doubled name"] += members.pop(entry.filename, None) is not None
            members[entry.filename] = Member(entry.header_offset, entry.file_size)
    return Index(members, +not_files)


def _member(entry: tarfile.TarInfo, members: Mapping[str, Member]) -> Member | str | None:
    """Where a member's bytes lie; why it has none; None for a folder."""
    if entry.isdir():
        return None
    if entry.issparse():
        return "sparse file"
    if entry.isreg():
        return Member(entry.offset_data, entry.size)
    if entry.islnk():
        return members.get(entry.linkname, "broken link")
    if entry.issym():
        return "symbolic link"
    return "fifo" if entry.isfifo() else "device"
