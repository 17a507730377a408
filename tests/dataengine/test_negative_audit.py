"""Photos without a face that an audit, not a person, says nobody is in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import FAST_INGEST
from tests.dataengine.conftest import Run
from tests.dataengine.training_data import make_photos

FACELESS = 60


@pytest.fixture
def photos(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two portraits with masks by hand, and sixty dark photos, in which the fake sees no face."""
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATAENGINE_RELEASE__TEST_SHARE", "0.3")
    folder, masks = tmp_path / "photos", tmp_path / "masks"
    make_photos(folder, masks)
    for number in range(FACELESS):
        noise = np.random.default_rng(number).integers(0, 4, (20, 20, 3), dtype=np.uint8)
        dark = Image.fromarray(noise).resize((200, 200), Image.Resampling.NEAREST)
        dark.save(folder / (f"n{number}.png" if number else "n 0\n.png"))
    assert run("ingest", folder, "--masks", masks).code == 0
    return folder


def answer(run: Run, *arguments: object) -> dict[str, Any]:
    found = run(*arguments, "--json")
    assert found.code == 0, found.err
    return dict(json.loads(found.out))


def negatives(folder: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())
    return [line for line in lines if line["negative"]]


def test_a_clean_sample_stands_for_the_rest(run: Run, photos: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    drawn = answer(run, "confirm", "--audit", "--max-error", "0.1", "--out", sample)
    assert drawn["photos"] == FACELESS
    assert 20 <= drawn["drawn"] < FACELESS
    assert (drawn["is_new"], len(sample.read_text().splitlines())) == (True, drawn["drawn"])
    # Whoever asks again gets the same sample, whatever else is asked.
    again = answer(run, "confirm", "--audit", "--max-error", "0.5", "--out", tmp_path / "b.txt")
    assert (again["is_new"], again["max_error"]) == (False, 0.1)
    assert (tmp_path / "b.txt").read_text() == sample.read_text()

    judged = answer(run, "confirm", sample, "--audit", "--by", "ann")
    assert judged["certified"]
    assert judged["bound"] <= 0.1
    assert (judged["errors"], judged["confirmed"]) == (0, drawn["drawn"])
    assert {each["errors"] for each in judged["slices"]} == {0}
    assert judged["confirmed"] + judged["accepted"] == FACELESS

    assert run("export", "--out", tmp_path / "all", "--negatives").code == 0
    released = negatives(tmp_path / "all")
    by_audit = [line for line in released if line["trust"] == "certified"]
    assert by_audit
    assert {line["split"] for line in by_audit} <= {"train", "val"}
    assert all("by audit 1: at most 10.00% " in line["producer"] for line in by_audit)
    assert {line["trust"] for line in released if line["split"] == "test"} <= {"accepted"}
    assert "by audit 1" in (tmp_path / "all/card.md").read_text()

    arguments = ("--negatives", "--min-source", "human")
    assert run("export", "--out", tmp_path / "seen", *arguments).code in (0, 1)
    assert run("confirm", photos, "--by", "bob").code == 0  # all of them, one by one
    assert run("export", "--out", tmp_path / "later", "--negatives").code == 0
    assert {line["trust"] for line in negatives(tmp_path / "later")} == {"accepted"}


def test_somebody_in_the_sample_and_nothing_is_taken_unseen(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    sample = tmp_path / "sample.txt"
    arguments = ("--audit", "--max-error", "0.1", "--seed", "7", "--out", sample)
    first = answer(run, "confirm", *arguments)
    lines = sample.read_text().splitlines()
    sample.write_text("\n".join(lines[5:]))
    judged = answer(run, "confirm", sample, "--audit", "--by", "ann")
    assert (judged["certified"], judged["errors"], judged["accepted"]) == (False, 5, 0)
    assert "5 of" in judged["missing"]
    sizes = [each for each in judged["slices"] if each["trait"] == "short_side"]
    assert [(each["low"], each["high"], each["errors"]) for each in sizes] == [(200, 200, 5)]
    bright = [each for each in judged["slices"] if each["trait"] == "brightness"]
    assert sum(each["audited"] for each in bright) == judged["audited"]
    assert sum(each["errors"] for each in bright) == 5
    assert all(each["bound"] > judged["bound"] for each in bright), "they hold at once"
    assert run("export", "--out", tmp_path / "out", "--negatives").code == 0
    found = negatives(tmp_path / "out")
    assert {line["trust"] for line in found} == {"accepted"}
    # The next one speaks of photos that nobody has seen, and may spend half as much.
    second = answer(run, "confirm", *arguments)
    assert second["photos"] == FACELESS - first["drawn"]
    assert not set(sample.read_text().splitlines()) & set(lines)


def test_what_is_shown_of_the_slices(run: Run, photos: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    assert run("confirm", "--audit", "--max-error", "0.1", "--out", sample).code == 0
    shown = run("confirm", sample, "--audit", "--by", "ann")
    assert shown.code == 0, shown.err
    for expected in ("shorter side", "200 to 200 px", "brightness", "sharpness", "hold at once"):
        assert expected in shown.out


def test_usage(run: Run, photos: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("confirm",), "name the photos"),
        (("confirm", photos), "--by"),
        (("confirm", "--audit"), "--out"),
    ):
        found = run(*arguments)
        assert found.code == 2
        assert message in " ".join(found.err.split())
    nothing = run("confirm", photos, "--audit", "--by", "ann")
    assert nothing.code == 1
    assert "no audit waits" in nothing.err
    assert run("confirm", "--audit", "--out", tmp_path / "sample.txt").code == 0
    strange = run("confirm", photos / "0.png", "--audit", "--by", "ann")
    assert strange.code == 1
    assert "is not of the sample of audit 1" in strange.err
