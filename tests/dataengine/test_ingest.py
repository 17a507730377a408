"""`dataengine ingest`: its options, what it counts, and what it does not do again."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.networks.fake import FakeTeacher
from pipelines.pictures.fake import FakeDetector
from tests.conftest import FAKES, FAST_INGEST
from tests.dataengine.conftest import Answer, Run
from tests.pipelines.ingest.conftest import picture, save
from tests.pipelines.ingest.runs import ingest
from tests.snapshots import differences, leftovers, snapshot


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for number in range(6):
        save(tmp_path / f"raw/{number}.png", picture(number))
    return tmp_path / "raw"


def summary(answer: Answer) -> dict[str, Any]:
    assert answer.code == 0, answer.err
    return dict(json.loads(answer.out))


def test_only_what_failed_is_tried_again(run: Run, raw: Path) -> None:
    (raw / "1.png").write_bytes(b"")
    (raw / "2.png").write_text("<html>")
    first = summary(run("ingest", raw, "--json"))
    assert first["status"]["failures"] == {"empty_file": 1, "not_an_image": 1}
    still = summary(run("ingest", "--retry-failed", "--json"))
    assert (still["run"]["retried"], still["run"]["new"]) == (2, 0)
    assert still["run"]["failures"] == still["status"]["failures"] == first["status"]["failures"]
    # The causes go, one of them under a path that is given.
    save(raw / "1.png", picture(1))
    save(raw / "new.png", picture(9))
    some = summary(run("ingest", "--retry-failed", raw / "1.png", raw / "3.png", "--json"))
    assert (some["run"]["retried"], some["run"]["portraits"]) == (1, 1)
    assert some["status"]["failures"] == {"not_an_image": 1}
    assert some["status"]["photos"]["seen"] == 6


def test_no_path_and_nothing_to_retry_is_wrong_usage(run: Run) -> None:
    answer = run("ingest")
    assert answer.code == 2
    assert "give at least one PATH, or --retry-failed" in answer.err


def test_a_limit_takes_the_next_files_each_time(run: Run, raw: Path) -> None:
    seen = [
        summary(run("ingest", raw, "--limit", "4", "--json"))["status"]["photos"]["seen"]
        for _ in range(3)
    ]
    assert seen == [4, 6, 6]


def test_a_dry_run_in_a_workspace_writes_nothing(run: Run, raw: Path) -> None:
    summary(run("ingest", raw, "--limit", "3", "--json"))
    files = {path: path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()}
    times = {path: path.stat().st_mtime_ns for path in files}
    found = summary(run("ingest", raw, "--dry-run", "--limit", "2", "--json"))
    assert (found["new"], found["changed"], found["known"]) == (2, 0, 3)
    after = {path for path in Path.cwd().rglob("*") if path.is_file()}
    # Reading leaves SQLite's two helper files, empty.
    assert {path.name for path in after - set(files)} <= {"dataengine.db-wal", "dataengine.db-shm"}
    assert {path: path.read_bytes() for path in files} == files
    assert {path: path.stat().st_mtime_ns for path in files} == times


def test_a_second_run_does_no_model_work(
    run: Run, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = summary(run("ingest", raw, "--json"))
    before = snapshot(Path.cwd())

    def refuse(*_: object) -> list[object]:
        raise AssertionError("a model was asked")

    monkeypatch.setattr(FakeDetector, "detect", refuse)
    monkeypatch.setattr(FakeTeacher, "person_probability", refuse)
    again = summary(run("ingest", raw, "--json"))
    assert (again["run"]["known"], again["run"]["new"], again["run"]["files"]) == (6, 0, 0)
    assert again["status"] == first["status"]
    assert differences(before, snapshot(Path.cwd())) == []


def test_any_number_of_workers_gives_the_same(run: Run, tmp_path: Path, raw: Path) -> None:
    save(raw / "copy.png", picture(0))
    (raw / "page.jpg").write_text("<html>")
    found = []
    for workers in ("0", "1", "2"):
        answer = summary(
            run("-w", tmp_path / workers, "ingest", raw, "--workers", workers, "--json")
        )
        assert answer["run"].pop("seconds") > 0
        assert leftovers(tmp_path / workers) == []
        found.append((snapshot(tmp_path / workers), answer))
    assert differences(found[0][0], found[1][0]) == []
    assert differences(found[0][0], found[2][0]) == []
    assert found[0][1] == found[1][1] == found[2][1]


def test_the_summary_adds_up(run: Run, raw: Path) -> None:
    save(raw / "copy.png", picture(0))
    save(raw / "black.png", picture(0) * 0)
    save(raw / "small.png", picture(0, 90, 60))
    (raw / "page.jpg").write_text("<html>")
    (raw / "notes.txt").write_text("notes")
    answer = summary(run("ingest", raw, "--json"))
    tally, images = answer["run"], answer["status"]["photos"]
    assert tally["files"] == images["seen"] == tally["new"] == 10
    assert tally["duplicates"] == images["duplicates"] == 1
    assert tally["no_face"] == images["no_face"] == 2
    assert tally["failures"] == answer["status"]["failures"] == {"not_an_image": 1}
    assert tally["portraits"] == answer["status"]["portraits"] == 6
    assert sum(tally["verdicts"].values()) == 6
    assert tally["ignored"] == {".txt": 1}
    assert tally["interrupted"] is False
    assert images["seen"] == (
        images["with_portraits"] + images["no_face"] + images["duplicates"] + images["failed"]
    )


def test_the_summary_for_people(run: Run, raw: Path) -> None:
    (raw / "page.jpg").write_text("<html>")
    (raw / "notes.txt").write_text("notes")
    answer = run("ingest", raw)
    assert answer.code == 0
    assert "Not images, left out: .txt 1\n" in answer.out
    assert "7 new, 0 changed, 0 known files\n" in answer.out
    assert re.search(r"7 files in [\d.]+ s \([\d.]+ a second\), 6 portraits, ", answer.out)
    assert re.search(r"failed +1 +not_an_image 1", answer.out)
    assert "ingesting 7 files" in answer.err


def test_lines_of_progress_tell_no_time_before_there_is_one(
    run: Run, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataengine.console.shared.progress._PLAIN_LINE_SECONDS", -1)
    answer = run("ingest", raw, "--batch-size", "2")
    progress = [line for line in answer.err.splitlines() if "/6 images" in line]
    assert progress[0].startswith("0/6 images, 0.0/s, 0 portraits")
    assert "left" not in progress[0]
    assert re.search(r"^2/6 images, .* \d+ s left$", answer.err, re.MULTILINE)
    assert progress[-1].startswith("6/6 images")
    assert progress[-1].endswith(" 0 s left")


def test_odd_exif_is_not_the_users_business(tmp_path: Path) -> None:
    """Worker processes have filters for warnings of their own."""
    raw = tmp_path / "raw"
    jpeg = save(raw / "a.jpg", picture(0)).read_bytes()
    # A TIFF directory that promises an entry and ends: Pillow calls it corrupt.
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01"
    block = b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif
    (raw / "a.jpg").write_bytes(jpeg[:2] + block + jpeg[2:])
    ended = ingest(tmp_path / "ws", raw, "--workers", "1", environment=FAKES)
    assert (ended.code, ended.summary["status"]["portraits"]) == (0, 1), ended.err
    assert "Warning" not in ended.err
    assert "EXIF" not in ended.err
