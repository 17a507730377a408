"""The command line, called as the shell would call it but within this process."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from dataengine.cli import app, main

_GROUP: Any = typer.main.get_command(app)


def _commands(group: Any, path: str = "") -> dict[str, Any]:
    """Commands by what is typed, those of sub-apps as `review push`."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        typed = f"{path}{name}"
        is_group = hasattr(command, "commands")
        if is_group:
            found |= _commands(command, f"{typed} ")
        if not is_group or command.invoke_without_command:
            found[typed] = command
    return found


COMMANDS = _commands(_GROUP)


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]


def parse(arguments: Sequence[str]) -> None:
    """Parse a command line without running it; raises what wrong usage raises."""
    command, context = _GROUP, _GROUP.make_context("dataengine", list(arguments))
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest and command.invoke_without_command:
            return
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `dataengine ARGUMENTS…` in an empty folder, on a terminal too wide to wrap lines."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["dataengine", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Answer(code, *capsys.readouterr())

    return call
