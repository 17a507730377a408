"""The example of the web crawl runs: a small version of it, with real photos and networks."""

import csv
from pathlib import Path

import pytest

from examples.web_crawl import collect, more, students
from sinet.data import find_samples
from sinet.data.reading import read_sample

PHOTOS = 36


def test_from_the_crawl_to_the_table(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = tmp_path / "audit.csv"
    monkeypatch.setattr(collect, "ANSWERS", answers)
    # Of so few photos few are bad; whether a stricter audit passes is for chance to say.
    monkeypatch.setattr(collect, "BAD_BELOW", 0.955)
    terms = ("--max-error", "0.5", "--confidence", "0.8", "--bad-below", "0.955", "--seed", "1")
    monkeypatch.setattr(collect, "TERMS", terms)
    plan = collect.Plan(shared, tmp_path / "collected", PHOTOS)
    assert collect.run(plan) is None, "nobody has looked at the audit"
    assert list((plan.out / "audit").glob("*.png"))
    with (plan.out / "audit/audit.csv").open(newline="") as file:
        asked = list(csv.DictReader(file))
    assert len(asked) > 3
    with answers.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "x0", "y0", "x1", "y1", "decision"])
        for row in asked:
            table.writerow([row["file"], row["x0"], row["y0"], row["x1"], row["y1"], "accept"])
    written = collect.run(plan)
    assert written is not None
    assert written["raw"] >= written["trusted"] > len(asked) / 2
    assert collect.run(plan) == written, "run again, it has nothing to do"
    raw, trusted = (find_samples(plan.out / name, "train") for name in ("raw", "trusted"))
    assert {sample.name for sample in trusted} <= {sample.name for sample in raw}

    wide = more.write_wide(plan)
    samples = find_samples(plan.out / "wide", "train")
    assert len(samples) == wide > 0
    assert all(read_sample(sample).mask.any() for sample in samples)

    monkeypatch.setattr(students, "SETS", {"street": "webval/street"})
    quick = ("--epochs", "1", "--steps", "2")
    small = students.Plan(shared, plan.out, tmp_path / "students", (0,), ("deepface",), quick, 3)
    scores = students.run(small)
    kinds = ["human", "raw", "trusted", "trusted-without-deepface"]
    assert list(scores) == [f"{kind}-0" for kind in kinds]
    lines = (small.out / "table.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "human", "raw", "trusted", "raw − human", "trusted − human", "trusted − raw",
        "trusted without deepface",
    ]  # fmt: skip
    assert students.run(small) == scores


def test_parts_with_nobody(shared: Path) -> None:
    """A photo of a street has some; a face that fills its photo has none."""
    plan = collect.Plan(shared, Path())
    teacher = collect.load_network(collect.parse_network(plan.teacher), device="cpu", threads=2)
    street = next((shared / "data/crawl/web/images").glob("hsd_*"))
    parts = [
        part
        for photo in sorted((shared / "data/crawl/web/images").glob("gov18f_*"))[:12]
        for part in more.parts_with_nobody(photo, teacher)
    ]
    assert street.exists()
    assert parts
    assert all(more.most(teacher, part).max() < more.NOBODY_BELOW for part in parts)
    face = shared / "data/crawl/web/images/deepface_00000.jpg"
    assert list(more.parts_with_nobody(face, teacher)) == []
