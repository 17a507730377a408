"""How commands fail: one line on stderr and an exit code, whatever is wrong."""

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Crawl
from tests.dataengine.conftest import Answer, Run

PROGRAM = [sys.executable, "-c", "from dataengine.cli import main; main()"]


def assert_one_line_error(answer: Answer, pattern: str) -> None:
    assert (answer.code, answer.out) == (1, "")
    assert re.fullmatch(r"error: [^\n]+\n", answer.err), answer.err
    assert re.search(pattern, answer.err), answer.err


@pytest.fixture
def copied(ingested: Crawl, tmp_path: Path) -> Path:
    """The ingested workspace, to be damaged."""
    return Path(shutil.copytree(ingested.workspace, tmp_path / "copied"))


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["-w", "missing", "status"], "missing: not a workspace; make one with `dataengine init"),
        (["-w", "missing", "list"], "not a workspace"),
        (["-w", "{ws}", "show", "999", "--out", "out.png"], "no portrait 999; `dataengine list`"),
        (["-w", "{ws}", "show", "1", "--out", "out.txt"], "name it .png or .jpg"),
        (
            ["-w", "{ws}", "show", "1", "--out", "missing/out.png"],
            "missing/out.png: cannot be written",
        ),
        (["-w", "{ws}", "ingest", "missing"], "'missing' does not exist"),
        (["-w", "{ws}", "ingest", ".", "--teacher", "deep"], "unknown network 'deep'; known are"),
        (["-w", "{ws}", "ingest", ".", "--teacher", "onnx:x"], "x: no such ONNX file"),
        (["-w", "{ws}", "ingest", ".", "--teacher-weights", "x"], "x: no such file"),
        (["-w", "{ws}", "ingest", ".", "--masks", "missing"], "missing: no such folder of masks"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    run: Run, copied: Path, arguments: list[str], pattern: str
) -> None:
    answer = run(*(argument.format(ws=copied) for argument in arguments))
    assert_one_line_error(answer, pattern)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("mistake", ["missing", "teacher"])
def test_a_mistyped_ingest_makes_no_workspace(run: Run, tmp_path: Path, mistake: str) -> None:
    (tmp_path / "raw").mkdir()
    arguments = {"missing": ["missing"], "teacher": [tmp_path / "raw", "--teacher", "deep"]}
    assert_one_line_error(run("ingest", *arguments[mistake]), "does not exist|unknown network")
    assert list(Path.cwd().iterdir()) == []


def set_version(workspace: Path) -> None:
    with closing(sqlite3.connect(workspace / "dataengine.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def damage(workspace: Path) -> None:
    for suffix in ("-wal", "-shm"):
        (workspace / f"dataengine.db{suffix}").unlink(missing_ok=True)
    (workspace / "dataengine.db").write_bytes(b"no database" * 1000)


def misspell(workspace: Path) -> None:
    (workspace / "dataengine.toml").write_text("[detector]\nmin_faces_px = 3\n")


@pytest.mark.parametrize(
    ("break_it", "pattern"),
    [
        (set_version, r"dataengine\.db was made by a newer dataengine \(schema 9999\)"),
        (damage, r"dataengine\.db cannot be opened as a database"),
        (misspell, r"detector\.min_faces_px: unknown key; see .*dataengine\.toml"),
    ],
)
@pytest.mark.parametrize("command", [["status"], ["list"], ["ingest", "."]])
def test_a_broken_workspace_is_one_line_and_exit_code_1(
    run: Run, copied: Path, break_it: Callable[[Path], None], pattern: str, command: list[str]
) -> None:
    break_it(copied)
    assert_one_line_error(run("-w", copied, *command), pattern)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["ingest"],
        ["list", "--verdict", "good"],
        ["ingest", ".", "--workers", "-1"],
        ["ingest", ".", "--device", "tpu"],
        ["show", "one", "--out", "out.png"],
        ["show", "1"],
    ],
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    answer = run(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "Usage: dataengine" in answer.err
    assert "Traceback" not in answer.err
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(("option", "traceback"), [([], False), (["--debug"], True)])
def test_a_traceback_only_on_request(tmp_path: Path, option: list[str], traceback: bool) -> None:
    command = [*PROGRAM, *option, "-w", str(tmp_path), "status"]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert ("Traceback" in failed.stderr) == traceback
    assert "not a workspace" in failed.stderr
    if not traceback:
        assert failed.stderr.count("\n") == 1
