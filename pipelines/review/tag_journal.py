"""The journal of a gallery: every tag that was set or taken away there, a line each.

The gallery only adds to it, and each tag has a key of its own, given when it was set. So whoever
reads it may read it again, at any time, and whatever was cut off is at most its last line.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pipelines.workspace.errors import PipelineError
from pipelines.workspace.store import storage_message
from sinet.json_text import from_json, to_json

JOURNAL_FILE: Final = "tags.jsonl"
_LONGEST_LINE: Final = 10_000
_HIGHEST_ID: Final = 2**63 - 1
_KEY_LENGTH: Final = 32


@dataclass(frozen=True, kw_only=True)
class JournalTag:
    """A tag that was set.

    Attributes:
        key: its own: 32 hexadecimal digits.
        mask_id: the revision that was shown.
        name: of the tag, any text.
        set_at: when it was seen there first.
        removed_at: when it was seen to be there no longer; None: it is.
    """

    key: str
    mask_id: int
    name: str
    set_at: datetime
    removed_at: datetime | None = None


def read_journal(path: Path) -> list[JournalTag]:
    """All tags, in the order in which they were set; none where there is no journal yet.

    Args:
        path: of the journal.

    Raises:
        PipelineError: it cannot be read, or a line of it is none of a gallery.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror})") from error
    # What comes after the last line break was cut off while it was being written.
    return _understood(path, text.split(b"\n")[:-1])


def keep_in_journal(path: Path, mask_ids: Iterable[int]) -> None:
    """Leave out of a journal what is about masks that are gone; whole or not at all.

    Args:
        path: of the journal, which no gallery is writing to.
        mask_ids: masks that are there.

    Raises:
        PipelineError: it cannot be read or written.
    """
    there = set(mask_ids)
    tags = read_journal(path)
    kept = [tag for tag in tags if tag.mask_id in there]
    if len(kept) == len(tags):
        return
    lines = [line for tag in kept for line in _lines(tag)]
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text("".join(f"{to_json(line)}\n" for line in lines), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise PipelineError(storage_message(path, error)) from error


def _lines(tag: JournalTag) -> list[dict[str, Any]]:
    set_ = {"key": tag.key, "mask": tag.mask_id, "tag": tag.name, "at": tag.set_at.isoformat()}
    if tag.removed_at is None:
        return [set_]
    return [set_, {"key": tag.key, "removed_at": tag.removed_at.isoformat()}]


def _understood(path: Path, lines: Iterable[bytes]) -> list[JournalTag]:
    found: dict[str, JournalTag] = {}
    for number, line in enumerate(lines, start=1):
        try:
            _take(found, line)
        except (ValueError, TypeError, KeyError) as error:
            raise PipelineError(
                f"{path}, line {number}: no gallery wrote this; take the line out, or choose "
                "another --data-dir"
            ) from error
    return list(found.values())


def _take(found: dict[str, JournalTag], line: bytes) -> None:
    if len(line) > _LONGEST_LINE:
        raise ValueError("too long")
    values = from_json(line)
    key = values["key"]
    if not isinstance(key, str) or len(key) != _KEY_LENGTH or not key.isalnum():
        raise ValueError("no key")
    if "removed_at" in values:
        found[key] = replace(found[key], removed_at=_time(values["removed_at"]))
        return
    mask_id, name = values["mask"], values["tag"]
    if type(mask_id) is not int or not 0 < mask_id <= _HIGHEST_ID or not isinstance(name, str):
        raise ValueError("no tag")
    found[key] = JournalTag(key=key, mask_id=mask_id, name=name, set_at=_time(values["at"]))


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("no time zone")
    return time
