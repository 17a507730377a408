"""Lists of paths: a `.txt` or `.lst` file, one path a line, as people and programs write them.

A line is first of all the path that it spells, relative to the list's folder. Only where there is
no such file may it be something else: a comment, an address, a path in quotes or with blanks.
"""

import codecs
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sinet.files.pairing import PICTURE_SUFFIXES

LIST_SUFFIXES: Final = frozenset({".lst", ".txt"})

_ADDRESS = re.compile(r"^(?!file:)[a-z][a-z0-9+.\-]*://", re.IGNORECASE)
_QUOTES: Final = ('"', "'", "`")


class EntryKind(StrEnum):
    """What a line of a list is; its value is what it is counted under."""

    PATH = "path"
    URL = "URL"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a list: what it is, and the path or address in it."""

    kind: EntryKind
    text: str


def entries(path: Path) -> Iterator[Entry]:
    """Yield the lines of a list that are not blank; separated by NUL if it holds one."""
    separator, lines = _lines(path)
    for line in lines:
        text = os.fsdecode(line)
        # A program that separates by NUL writes names as they are.
        yield Entry(EntryKind.PATH, text) if separator == b"\0" else _entry(text, path.parent)


def entries_of(data: bytes) -> Iterator[Entry]:
    """The lines of a list that does not lie on the disk: names beside it, or addresses."""
    separator = b"\0" if b"\0" in data else b"\n"
    for line in data.removeprefix(codecs.BOM_UTF8).split(separator):
        text = line.decode("utf-8", "replace")
        if separator == b"\0":
            yield from [Entry(EntryKind.PATH, text)] if text else []
        elif plain := text.strip():
            is_comment = plain.startswith("#") and not _may_be_a_name(plain)
            kind = EntryKind.COMMENT if is_comment else EntryKind.PATH
            yield Entry(kind, _unquoted(plain))


def _entry(line: str, folder: Path) -> Entry:
    if _exists(folder / line):
        return Entry(EntryKind.PATH, line)
    text = line.strip()
    if _ADDRESS.match(text):
        return Entry(EntryKind.URL, text)
    if text.startswith("#") and not _may_be_a_name(text):
        return Entry(EntryKind.COMMENT, text)
    for reading in (text, _unquoted(text), _local(text), text.replace("\\", "/")):
        if _exists(folder / reading):
            return Entry(EntryKind.PATH, reading)
    return Entry(EntryKind.PATH, _local(_unquoted(text)))


def _may_be_a_name(text: str) -> bool:
    """`#1.jpg` may be a photo that is missing; `# see below` is none."""
    return text[1:2].strip() not in ("", "#") and Path(text).suffix.lower() in PICTURE_SUFFIXES


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] and text[0] in _QUOTES else text


def _local(text: str) -> str:
    """The path in a `file:` address."""
    if not text.lower().startswith("file:///"):
        return text
    return unquote(text[len("file://") :], errors="surrogateescape")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or a NUL in it
        return False


def _lines(path: Path) -> tuple[bytes, Iterator[bytes]]:
    """The separator of a list, and its entries, without reading it whole."""
    with path.open("rb") as handle:
        if os.fstat(handle.fileno()).st_size == 0:  # which mmap refuses
            return b"\n", iter(())
        text = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    separator = b"\n" if text.find(b"\0") < 0 else b"\0"
    return separator, _pieces(text, separator)


def _pieces(text: mmap.mmap, separator: bytes) -> Iterator[bytes]:
    with text:
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
