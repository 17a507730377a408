"""Commands that read the database start quickly: none of them loads what computes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FAST_INGEST, Crawl

HEAVY = (
    "sqlalchemy.orm",
    "torch",
    "torchvision",
    "sklearn",
    "matplotlib",
    "onnxruntime",
    "onnx",
    "numba",
)
PROGRAM = """
import json, sys
from typer.testing import CliRunner
from dataengine.cli import app

workspace, *lines = sys.argv[1:]
found = {}
for line in lines:
    result = CliRunner().invoke(app, ["-w", workspace, *json.loads(line)])
    loaded = sorted(set(%r) & set(sys.modules))
    found[line] = [result.exit_code, str(result.exception or ""), loaded]
print(json.dumps(found))
"""


def started(workspace: Path, *commands: list[str]) -> dict[str, list[object]]:
    """Exit code, error and heavy modules loaded so far, of commands run one after the other."""
    lines = [json.dumps(command) for command in commands]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM % (HEAVY,), str(workspace), *lines],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def test_reading_loads_nothing_that_computes(ingested: Crawl, tmp_path: Path) -> None:
    # Slices compute what they lack: in a copy.
    workspace = Path(shutil.copytree(ingested.workspace, tmp_path / "workspace"))
    found = started(
        workspace,
        ["status"],
        ["status", "--json"],
        ["list"],
        ["list", "--json"],
        ["failures"],
        ["rounds"],
        ["rounds", "--json"],
        ["review", "status"],
        ["scores", "slices"],
        ["verify"],
        ["gc", "--dry-run"],
        ["show", "1", "--out", str(tmp_path / "shown.png")],
        ["explain", str(ingested.raw / "sharp.jpg")],
    )
    for command, (_, error, loaded) in found.items():
        assert loaded == [], f"{command} loads {loaded} ({error})"
    codes = {command: code for command, (code, _, _) in found.items()}
    failing = {command for command, code in codes.items() if code}
    # A raw photo is of no release: one line says so.
    assert all("explain" in command or "scores" in command for command in failing), found


def test_what_computes_is_seen_by_this_test(
    ingested: Crawl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    ((_, _, loaded),) = started(ingested.workspace, ["models"]).values()
    assert "torch" in loaded
