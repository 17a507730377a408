"""`list` on a console: a line a portrait."""

import os
import sys
from collections.abc import Iterable

import typer

from dataengine.console.shared.text import printable
from pipelines.portraits.listing import PortraitLine
from sinet.json_text import to_json


def print_portraits(lines: Iterable[PortraitLine], *, as_json: bool) -> None:
    """Each as it comes, so that `dataengine list | head` need not wait for the last."""
    try:
        for line in lines:
            typer.echo(portrait_line(line, as_json=as_json))
    except BrokenPipeError:
        # What is left in the buffer must go somewhere when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def portrait_line(line: PortraitLine, *, as_json: bool) -> str:
    """One portrait for `list`."""
    if as_json:
        return to_json(line.as_dict())
    confidence = line.scores.get("confidence")
    columns = [
        f"{line.portrait_id:>6}",
        f"{line.verdict or 'pending':<9}",
        f"{confidence:.3f}" if confidence is not None else "  –  ",
        printable(line.image_path or "(overwritten)"),
        ",".join(line.reasons),
    ]
    return "  ".join(columns).rstrip()
