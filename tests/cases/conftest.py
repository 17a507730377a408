"""The situations of the reference data's `cases`, through the command line with the fakes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import FAST_INGEST

Ingest = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    """The folder of situations, one folder each."""
    folder = shared / "cases"
    if not folder.is_dir():
        pytest.skip(f"no situations in {shared}")
    return folder


@pytest.fixture
def dataengine() -> Callable[..., str]:
    """`dataengine ARGUMENTS…` within this process, with the fakes; what it printed."""
    from dataengine.cli import app

    def call(*arguments: str | Path, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*map(str, arguments)], env=FAST_INGEST)
        assert result.exit_code == code, result.output + repr(result.exception)
        return result.stdout

    return call


@pytest.fixture
def ingest(dataengine: Callable[..., str], tmp_path: Path) -> Ingest:
    """`dataengine -w ws ingest ARGUMENTS… --json`: its summary."""

    def call(*arguments: str | Path) -> dict[str, Any]:
        return dict(json.loads(dataengine("-w", tmp_path / "ws", "ingest", *arguments, "--json")))

    return call
