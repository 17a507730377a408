"""`pipelines` as Python sees it: curated, cheap to import, each name where the stub says."""

import ast
import subprocess
import sys
from pathlib import Path

import pipelines

STUB = Path(pipelines.__file__).with_suffix(".pyi")


def test_every_public_name_is_there() -> None:
    listed = {
        alias.asname
        for node in ast.parse(STUB.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(pipelines.__all__) == listed
    for name in pipelines.__all__:
        assert getattr(pipelines, name) is not None


def test_no_public_name_is_a_rooms() -> None:
    """Importing a room would put its module in the name's place."""
    rooms = {folder.parent.name for folder in Path(pipelines.__file__).parent.glob("*/__init__.py")}
    assert rooms
    assert not rooms & set(pipelines.__all__)


def test_importing_it_loads_nothing() -> None:
    code = (
        "import sys; known = set(sys.modules); import pipelines; print(*set(sys.modules) - known)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith(("pipelines", "sinet", "db"))}
    assert ours == {"pipelines"}
    assert not {"torch", "numpy", "sqlalchemy", "pydantic"} & set(done.stdout.split())
