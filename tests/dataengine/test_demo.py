"""`dataengine demo`: with the bundled networks, offline."""

from pathlib import Path

import pytest
from PIL import Image

from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error


def test_the_demo(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAENGINE_ENGINE__WORKERS", "0")
    answer = run("demo", "try")
    assert answer.code == 0, answer.err
    assert "Made a crawl of 9 files in try/crawl" in answer.err
    lines = answer.out.splitlines()
    assert any(line.split()[:2] == ["portraits", "4"] for line in lines)
    assert any(line.split()[:4] == ["failed", "1", "truncated", "1"] for line in lines)
    assert any("1 copies of others" in line for line in lines)
    refined = [line for line in lines if "refined with sinet:bundled" in line]
    assert len(refined) == 4
    assert all("now candidate" in line or "now review" in line for line in refined)
    for number in range(1, 5):
        with Image.open(f"try/pictures/portrait-{number}.png") as picture:
            assert picture.width > 1000
    assert "dataengine -w try ingest ./raw --teacher bundled" in answer.out
    listed = run("-w", "try", "list", "--json")
    assert listed.out.count('"mask_source": "student"') == 4

    # Once more: nothing is done twice.
    again = run("demo", "try")
    assert again.code == 0, again.err
    assert "0 new, 0 changed, 9 known files" in again.out
    assert "refined" not in again.out
    assert run("-w", "try", "list", "--json").out == listed.out


def test_a_demo_where_nothing_can_be_written(run: Run) -> None:
    Path("file").write_text("")
    assert_one_line_error(run("demo", "file/try"), "file/try/crawl: cannot be written")
