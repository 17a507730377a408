"""The packages' direction, `dataengine → pipelines → {db, sinet}`, and the size of their files."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
MAY_IMPORT = {
    "dataengine": {"dataengine", "pipelines", "db", "sinet"},
    "pipelines": {"pipelines", "db", "sinet"},
    "db": {"db"},
    "sinet": {"sinet"},
}
MAX_LINES = 400


def python_files(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (CHECKOUT / folder).rglob("*.py"))


def imported_packages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import, those inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, str(node.module).partition(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_downwards(package: str) -> None:
    files = python_files(package)
    assert files
    ours = set(MAY_IMPORT)
    upwards = [
        f"{file.relative_to(CHECKOUT)}:{line} imports {name}"
        for file in files
        for line, name in imported_packages(ast.parse(file.read_text(encoding="utf-8")))
        if name in ours - MAY_IMPORT[package]
    ]
    assert upwards == []


def test_a_relative_import_cannot_leave_its_package() -> None:
    escaping = [
        f"{file.relative_to(CHECKOUT)}:{node.lineno}"
        for file in python_files(*MAY_IMPORT)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level >= len(file.relative_to(CHECKOUT).parts)
    ]
    assert escaping == []


def test_no_file_outgrows_a_readers_patience() -> None:
    files = python_files(*MAY_IMPORT, "tests", "benchmarks")
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {str(file): lines for file, lines in lengths.items() if lines > MAX_LINES} == {}
