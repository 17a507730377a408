"""The notebook runs, and is kept without what it printed."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import CHECKOUT
from tests.turned import SETTINGS, Turned

NOTEBOOKS = sorted((CHECKOUT / "examples").rglob("*.ipynb"))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_a_notebook_runs(
    file: Path, turned: Turned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (*SETTINGS.items(), ("JUPYTER_PLATFORM_DIRS", "1"), ("HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATAENGINE_WORKSPACE", str(turned.folder / "portraits"))
    book = nbformat.read(file, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in code for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in shown) >= 4
    assert [output for output in shown if output.get("name") == "stderr"] == []
    assert "IoU" in "".join(output.get("text", "") for output in shown)
