"""Directions: `dataengine → pipelines → {db, sinet}`, and between the rooms of `pipelines`."""

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
# The rooms of `pipelines` from the ground up; each imports only those before it.
ROOMS = (
    "workspace",
    "pictures",
    "networks",
    "masks",
    "work",
    "portraits",
    "origins",
    "doubt",
    "certify",
    "label_studio",
    "ingest",
    "review",
    "releases",
    "rounds",
    "lineage",
    "pages",
)
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


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import; of `from a import b` both `a.b` and `a` are told."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_the_rooms_of_pipelines_are_known() -> None:
    folders = {file.parent.name for file in (CHECKOUT / "pipelines").glob("*/__init__.py")}
    assert folders == set(ROOMS)
    assert [file.name for file in (CHECKOUT / "pipelines").glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_downwards(room: str) -> None:
    allowed = ROOMS[: ROOMS.index(room) + 1]
    upwards = [
        f"{file.relative_to(CHECKOUT)}:{line} imports {name}"
        for file in python_files(f"pipelines/{room}")
        for line, name in imported_modules(ast.parse(file.read_text(encoding="utf-8")))
        if name.startswith("pipelines.") and name.split(".")[1] not in allowed
    ]
    assert upwards == []


def first_line(package: Path) -> str:
    """Of a package's docstring: what it is for."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    return (docstring or "").partition("\n")[0]


def house() -> list[str]:
    """The picture of the house: packages, and their rooms, those of `pipelines` from the ground."""
    lines = []
    for package in MAY_IMPORT:
        root = CHECKOUT / package
        rooms = (
            ROOMS
            if package == "pipelines"
            else sorted(folder.parent.name for folder in root.glob("*/__init__.py"))
        )
        lines.append(f"{package + '/':<20}{first_line(root)}")
        lines += [f"  {room + '/':<18}{first_line(root / room)}" for room in rooms]
    return lines


def test_the_picture_of_the_house_is_the_real_one() -> None:
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    picture = text.partition("## The house\n\n```\n")[2].partition("\n```\n")[0]
    assert picture.splitlines() == house()


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
