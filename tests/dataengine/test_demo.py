"""`dataengine demo`: with the bundled networks, offline."""

from pathlib import Path

import pytest
from PIL import Image

from pipelines.origins.tables import read_table
from pipelines.pages.demo import FACES
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error


def test_the_demo(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAENGINE_ENGINE__WORKERS", "0")
    answer = run("demo", "try")
    assert answer.code == 0, answer.err
    assert "Made a crawl of 19 files in try/crawl" in answer.err
    lines = answer.out.splitlines()
    assert any(line.split()[:2] == ["portraits", "14"] for line in lines)
    assert any(line.split()[:4] == ["failed", "1", "truncated", "1"] for line in lines)
    assert any("1 copies of others" in line for line in lines)
    refined = [line for line in lines if "refined with sinet:bundled" in line]
    assert len(refined) == 14
    assert all("now candidate" in line or "now review" in line for line in refined)
    for number in range(1, 15):
        with Image.open(f"try/pictures/portrait-{number}.png") as picture:
            assert picture.width > 1000
    with Image.open("try/prediction.jpg") as picture:
        assert picture.size == (1280, 640)
    assert "Report of the workspace" in Path("try/report.html").read_text()
    assert "14 portraits with their masks:  try/pictures" in answer.out
    assert "Everything on one page, to be opened:  try/report.html" in answer.out
    assert "dataengine -w try ingest ./raw --teacher bundled" in answer.out
    listed = run("-w", "try", "list", "--json")
    assert listed.out.count('"mask_source": "student"') == 14

    # Once more: nothing is done twice.
    again = run("demo", "try")
    assert again.code == 0, again.err
    assert "0 new, 0 changed, 19 known files" in again.out
    assert "refined" not in again.out
    assert run("-w", "try", "list", "--json").out == listed.out


def test_the_faces_are_few_and_say_where_they_are_from() -> None:
    files = {file.name: file for file in FACES.iterdir()}
    assert sum(file.stat().st_size for file in files.values()) < 3e6
    table = read_table(FACES / "origins.csv").rows
    said = files["ATTRIBUTION.md"].read_text()
    pictures = {name for name in files if name.endswith(".jpg")}
    assert files.keys() - pictures == {"origins.csv", "ATTRIBUTION.md"}
    assert pictures - table.keys() == {"face-11.jpg"}
    assert "`face-11.jpg` is `assets/blog/" in said
    assert {row.licence for row in table.values()} == {"CC0-1.0"}
    assert all(row.page and row.author for row in table.values())
    for name in pictures:
        with Image.open(files[name]) as picture:
            assert max(picture.size) <= 640
            assert not picture.getexif()


def test_a_demo_where_nothing_can_be_written(run: Run) -> None:
    Path("file").write_text("")
    assert_one_line_error(run("demo", "file/try"), "file/try/crawl: cannot be written")
