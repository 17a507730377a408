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
COMMANDS: dict[str, Any] = _GROUP.commands


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]


def parse(arguments: Sequence[str]) -> None:
    """Parse a command line without running it; raises what wrong usage raises."""
    whole = _GROUP.make_context("dataengine", list(arguments))
    name, found, rest = _GROUP.resolve_command(whole, [*whole._protected_args, *whole.args])
    found.make_context(name, rest, parent=whole)


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
