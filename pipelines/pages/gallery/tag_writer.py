"""Writes down what is tagged in the gallery: a line when a tag is set, one when it is taken away.

This runs in the gallery's own environment (see `studio`), with nothing but the standard library;
`pipelines.review.tag_journal` reads what it writes.
"""

import json
import os
import secrets
from collections.abc import Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MaskTag = tuple[int, str]
"""Id of a mask, and the name of a tag."""


class TagWriter:
    """Takes up a journal where it ended.

    Attributes:
        standing: what is tagged, with the key of each.
    """

    def __init__(self, journal: Path, shown: Set[int]) -> None:
        """Read a journal; a last line that was cut off is removed.

        Args:
            journal: made if it is not there.
            shown: masks in the gallery: what is said of others stays as it is.
        """
        self._journal = journal
        with journal.open("a+b") as file:
            file.seek(0)
            text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            file.truncate(len(whole))
        self.standing: dict[MaskTag, str] = {}
        named: dict[str, MaskTag] = {}
        for line in map(json.loads, whole.splitlines()):
            if "removed_at" in line:
                self.standing.pop(named[line["key"]], None)
                continue
            named[line["key"]] = line["mask"], line["tag"]
            if line["mask"] in shown:
                self.standing[line["mask"], line["tag"]] = line["key"]

    def note(self, now: Set[MaskTag]) -> None:
        """Write down what has changed, durably, and that somebody looked.

        Args:
            now: what is tagged.

        Raises:
            OSError: it cannot be written; the next call tries again.
        """
        at = datetime.now(UTC).isoformat()
        new = {each: secrets.token_hex(16) for each in sorted(now - self.standing.keys())}
        gone = sorted(self.standing.keys() - now)
        lines: list[dict[str, Any]] = [
            {"key": key, "mask": mask, "tag": name, "at": at} for (mask, name), key in new.items()
        ]
        lines += [{"key": self.standing[each], "removed_at": at} for each in gone]
        if lines:
            with self._journal.open("ab") as file:
                file.write("".join(f"{json.dumps(line)}\n" for line in lines).encode())
                file.flush()
                os.fsync(file.fileno())
        self.standing |= new
        for each in gone:
            del self.standing[each]
        os.utime(self._journal)
