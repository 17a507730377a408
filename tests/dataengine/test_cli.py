"""Commands on a workspace: what they print for people and for scripts."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dataengine.context import workspace_root
from pipelines.workspace.settings_sources import settings_template
from tests.conftest import FAST_INGEST, ODD_NAME, Crawl
from tests.dataengine.conftest import Run

PROGRAM = [sys.executable, "-c", "from dataengine.cli import main; main()"]
JSONL_KEYS = {
    "photo_path", "photo_sha256", "portrait_id", "face_box", "crop_box", "mask_path", "verdict",
    "reasons", "scores",
}  # fmt: skip


def test_init_makes_a_workspace_that_others_find(run: Run, tmp_path: Path) -> None:
    answer = run("init", tmp_path / "new" / "deep")
    assert (answer.code, answer.err) == (0, "")
    assert f"Made a workspace in {tmp_path}/new/deep\n" in answer.out
    folder = tmp_path / "new" / "deep"
    key, _, text = (folder / "dataengine.toml").read_text().partition("\n")
    assert re.match(r'id = "[0-9a-f]{32}" ', key)
    assert text == settings_template()
    assert (folder / "dataengine.db").is_file()
    assert run("-w", folder, "status").code == 0
    again = run("init", folder)
    assert (again.code, again.out) == (1, "")
    assert "already a workspace; nothing was changed" in again.err


@pytest.mark.parametrize("way", ["current folder", "option", "environment", "option wins"])
def test_ways_to_say_where(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    option, folder = [], tmp_path / "ws"
    match way:
        case "current folder":
            folder = Path.cwd()
        case "option":
            option = ["-w", folder]
        case "environment":
            monkeypatch.setenv("DATAENGINE_WORKSPACE", str(folder))
        case "option wins":
            monkeypatch.setenv("DATAENGINE_WORKSPACE", str(tmp_path / "other"))
            option = ["--workspace", folder]
    assert run(*option, "init").code == 0
    assert [path.parent for path in tmp_path.rglob("dataengine.db")] == [folder]
    assert run(*option, "status").code == 0


def test_status_for_scripts(run: Run, ingested: Crawl) -> None:
    answer = run("-w", ingested.workspace, "status", "--json")
    assert (answer.code, answer.err) == (0, "")
    status = json.loads(answer.out)
    assert set(status) >= {"photos", "failures", "portraits", "verdicts", "reasons", "jobs"}
    assert set(status["photos"]) >= {"seen", "unique", "duplicates", "failed", "no_face"}
    assert {key: status["photos"][key] for key in ("seen", "unique", "duplicates")} == {
        "seen": 7,
        "unique": 6,
        "duplicates": 1,
    }
    assert (status["photos"]["failed"], status["photos"]["no_face"]) == (1, 2)
    assert status["failures"] == {"not_an_image": 1}
    assert status["portraits"] == 3
    assert set(status["verdicts"]) == {"candidate", "review", "rejected"}
    assert status["reasons"]["no_face"] == 1
    assert set(status["jobs"]) >= {"read", "detect", "import", "label"}
    assert set(status["jobs"]["read"]) == {"todo", "doing", "succeeded", "failed"}


def test_status_for_people(run: Run, ingested: Crawl) -> None:
    answer = run("-w", ingested.workspace, "status")
    lines = {" ".join(line.split()) for line in answer.out.splitlines()}
    assert {
        "files 7 1 copies of others",
        "photos 6 3 with portraits",
        "no face 2",
        "failed 1 not_an_image 1",
        "portraits 3",
    } <= lines


def test_list_for_scripts(run: Run, ingested: Crawl) -> None:
    answer = run("-w", ingested.workspace, "list", "--json")
    assert (answer.code, answer.err) == (0, "")
    lines = json.loads(answer.out)
    assert len(lines) == 3
    for line in lines:
        assert set(line) >= JSONL_KEYS
        x0, y0, x1, y1 = line["crop_box"]
        with Image.open(line["photo_path"]) as image, Image.open(line["mask_path"]) as mask:
            assert 0 <= x0 < x1 <= image.width
            assert 0 <= y0 < y1 <= image.height
            assert mask.size == (x1 - x0, y1 - y0)
        assert Path(line["mask_path"]).is_absolute()
        assert line["verdict"] in ("candidate", "review", "rejected")
    assert ODD_NAME in {Path(line["photo_path"]).name for line in lines}


def test_list_for_people_is_one_line_a_portrait(run: Run, ingested: Crawl) -> None:
    answer = run("-w", ingested.workspace, "list")
    lines = answer.out.splitlines()
    assert len(lines) == 3
    (odd,) = (line for line in lines if "odd name" in line)
    assert r"odd name\n\udcff.jpg" in odd
    (flat,) = (line for line in lines if "flat.png" in line)
    assert flat.split()[1] == "rejected"
    assert "blurry" in flat


def test_list_of_one_verdict(run: Run, ingested: Crawl) -> None:
    answer = run("-w", ingested.workspace, "list", "--verdict", "rejected", "--json")
    found = json.loads(answer.out)
    assert "flat.png" in {Path(line["photo_path"]).name for line in found}
    assert {line["verdict"] for line in found} == {"rejected"}


def test_list_into_a_reader_that_leaves_early(ingested: Crawl) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [*PROGRAM, "-w", str(ingested.workspace), "list"]
        left = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (left.returncode, left.stderr) == (0, b"")


def test_show_draws_the_portrait(run: Run, ingested: Crawl, tmp_path: Path) -> None:
    lines = json.loads(run("-w", ingested.workspace, "list", "--json").out)
    portrait = lines[0]["portrait_id"]
    answer = run("-w", ingested.workspace, "show", str(portrait), "--out", tmp_path / "out.png")
    assert (answer.code, answer.err, answer.out) == (0, "", f"Wrote {tmp_path}/out.png\n")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 3 * 400


def test_a_dry_run_counts_and_writes_nothing(run: Run, ingested: Crawl, tmp_path: Path) -> None:
    answer = run("ingest", ingested.raw, "--dry-run")
    assert answer.code == 0
    assert "Would take in 7 new and 0 changed files; 0 are known." in answer.out
    assert list(Path.cwd().iterdir()) == []
    more = tmp_path / "more"
    more.mkdir()
    shutil.copy(ingested.raw / "flat.png", more)
    (more / "flat.json").write_text("{}")
    answer = run("-w", ingested.workspace, "ingest", ingested.raw, more, "--dry-run", "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["new"], found["changed"], found["known"]) == (1, 0, 7)
    assert found["ignored"] == {".json": 1}
    assert (found["pending"], found["failed"]) == (0, 1)


def test_ingest_where_there_is_no_workspace_makes_one_and_says_so(
    run: Run, ingested: Crawl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "40")  # a path is never broken over lines
    folder = tmp_path / "a [bold] name that is rather long for a narrow terminal"
    answer = run("-w", folder, "ingest", ingested.raw, "--json", "--limit", "3")
    assert answer.code == 0, answer.err
    assert f"Made a workspace in {folder}\n" in answer.err
    summary = json.loads(answer.out)
    assert summary["status"]["photos"]["seen"] == summary["run"]["new"] == 3
    # In the order of names: a copy, the black one, the broken one.
    assert summary["run"]["failures"] == {"not_an_image": 1}
    assert summary["run"]["verdicts"] == {
        verdict: number for verdict, number in summary["status"]["verdicts"].items() if number
    }
    again = json.loads(run("-w", folder, "ingest", ingested.raw, "--json").out)
    assert (again["run"]["known"], again["run"]["new"]) == (3, 4)
    assert (again["run"]["duplicates"], again["run"]["portraits"]) == (1, 2)


def test_the_portrait_of_an_overwritten_file_stays(
    run: Run, ingested: Crawl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    photo = tmp_path / "photo"
    shutil.copy(ingested.raw / "sharp.jpg", photo)
    assert run("ingest", photo).code == 0
    shutil.copy(ingested.raw / "flat.png", photo)
    assert run("ingest", photo).code == 0
    old, new = json.loads(run("list", "--json").out)
    assert (old["photo_path"], new["photo_path"]) == (None, str(photo))
    assert old["photo_sha256"] != new["photo_sha256"]
    assert Path(old["mask_path"]).is_file()
    assert "(overwritten)" in run("list").out
    assert run("show", old["portrait_id"], "--out", tmp_path / "out.png").code == 0
    assert json.loads(run("status", "--json").out)["portraits"] == 2


def test_the_workspace_is_option_or_environment_or_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert workspace_root(None) == Path()
    monkeypatch.setenv("DATAENGINE_WORKSPACE", "/from/environment")
    assert workspace_root(None) == Path("/from/environment")
    assert workspace_root(Path("option")) == Path("option")
    monkeypatch.setenv("DATAENGINE_WORKSPACE", "")
    assert workspace_root(None) == Path()
