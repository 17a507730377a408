"""Text for people and for scripts, the same in every command."""

from dataclasses import fields
from datetime import datetime
from typing import Any

import typer
from rich.text import Text

from sinet.escaping import printable
from sinet.json_text import to_json


def print_json(value: Any) -> None:
    """One JSON document; names that are no UTF-8 survive as escapes.

    Args:
        value: plain values, times and dataclasses (not by `asdict`, which breaks their counters).
    """
    print(to_json(value, indent=2, default=_plain))  # noqa: T201


def say(text: str, *, err: bool = False) -> None:
    """One line for people; whatever foreign text is in it, it stays one line, and only shows.

    Args:
        text: of the line.
        err: to standard error, where standard output is for something else.
    """
    typer.echo(printable(text), err=err)


def cell(text: str) -> Text:
    """Foreign text in a table or a tree: no markup, one line."""
    return Text(printable(text))


def number_of(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 blob``, ``2,000 blobs``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return {field.name: getattr(value, field.name) for field in fields(value)}
