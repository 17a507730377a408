"""`list` on a console: a line a portrait."""

import os
import sys
from collections.abc import Iterable

from dataengine.console.shared.text import say
from pipelines.portraits.listing import PortraitLine
from sinet.escaping import printable
from sinet.json_text import to_json


def print_portraits(lines: Iterable[PortraitLine], *, as_json: bool) -> None:
    """Each as it comes, so that `dataengine list | head` need not wait for the last."""
    try:
        if as_json:
            _print_array(lines)
        else:
            for line in lines:
                say(_line(line))
    except BrokenPipeError:
        # What is left in the buffer must go somewhere when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_array(lines: Iterable[PortraitLine]) -> None:
    """One JSON document, a portrait a line, without holding all of them."""
    before = "["
    for line in lines:
        print(f"{before}\n{to_json(line.as_dict())}", end="")  # noqa: T201
        before = ","
    print("[]" if before == "[" else "\n]")  # noqa: T201


def _line(line: PortraitLine) -> str:
    confidence = line.scores.get("confidence")
    columns = [
        f"{line.portrait_id:>6}",
        f"{line.verdict or 'pending':<9}",
        f"{confidence:.3f}" if confidence is not None else "  –  ",
        printable(line.photo_path or "(overwritten)"),
        ",".join(line.reasons),
    ]
    return "  ".join(columns).rstrip()
