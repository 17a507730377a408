"""How work in progress looks: on a terminal a bar that goes away, elsewhere nothing."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    track,
)

_T = TypeVar("_T")


def shown(items: Iterable[_T], name: str, total: int | None = None) -> Iterable[_T]:
    """Pass items through, counting them under a name.

    Args:
        items: to go through.
        name: of what is done to them.
        total: how many there are, if they cannot be counted beforehand.
    """
    console = Console(stderr=True)
    return track(
        items, name, total=total, console=console, transient=True, disable=not console.is_terminal
    )


def bar(console: Console, *fields: str) -> Progress:
    """A bar with counts and the texts of some fields, for work that tells how far it is.

    Args:
        console: a terminal.
        fields: of its tasks, shown in this order, the last one dimmed.
    """
    texts = [
        TextColumn(f"{{task.fields[{field}]}}", style="dim" if field == fields[-1] else "")
        for field in fields
    ]
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        *texts,
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
