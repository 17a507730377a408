"""The example of the web crawl runs: a small version of it, with real photos and networks."""

import csv
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from examples.eg1800_rounds import dataengine
from examples.web_crawl import (
    collect,
    errors,
    finish,
    held_back,
    more,
    review,
    self_training,
    students,
    teachers,
)
from sinet.bundled import BUNDLED
from sinet.checkpoint import load_model
from sinet.data import find_samples
from sinet.data.reading import read_sample
from sinet.networks.sinet import SINet
from tests.dataengine.training_data import make_config, make_data

PHOTOS = 60


def test_from_the_crawl_to_data_sets(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = tmp_path / "judged.csv"
    monkeypatch.setattr(collect, "ANSWERS", answers)
    # Of so few photos few are bad; whether a stricter audit passes is for chance to say.
    monkeypatch.setattr(collect, "BAD_BELOW", 0.965)
    terms = ("--max-error", "0.5", "--confidence", "0.8", "--bad-below", "0.965", "--seed", "1")
    monkeypatch.setattr(collect, "TERMS", terms)
    plan = collect.Plan(shared, tmp_path / "collected", PHOTOS)
    asked: set[str] = set()
    while (written := collect.run(plan)) is None:
        new = accept_all(plan.out / "audit", answers)
        assert not new & asked, "nothing is asked twice"
        asked |= new
    assert len(asked) > 3
    assert written["raw"] == written["unchecked"] >= written["trusted"] > 0
    assert collect.run(plan) == written, "run again, it has nothing to do"
    raw, trusted = (find_samples(plan.out / name, "train") for name in ("raw", "trusted"))
    assert {sample.name for sample in trusted} <= {sample.name for sample in raw}

    assert review.run(plan) is None, "nobody has looked at the rest"
    judged = accept_all(plan.out / "review", answers)
    learnt = review.run(plan)
    assert learnt is not None
    sizes = learnt["reviewed"] - written["trusted"], learnt["reviewed_held_back"]
    assert sum(sizes) == len(judged) > 0
    assert review.run(plan) == learnt, "run again, it asks nobody"

    wide = more.write_wide(plan)
    samples = find_samples(plan.out / "wide", "train")
    assert len(samples) == wide > 0
    assert all(read_sample(sample).mask.any() for sample in samples)


def accept_all(sheets: Path, answers: Path) -> set[str]:
    """Accept what is to be looked at; names and places of what was asked about."""
    assert list(sheets.glob("*.png"))
    with (sheets / "judged.csv").open(newline="") as file:
        rows = [row for _, *row in csv.reader(file)][1:]
    assert rows, "nobody is sent to look at nothing"
    with answers.open("a", newline="") as file:
        table = csv.writer(file)
        if not file.tell():
            table.writerow(["file", "x0", "y0", "x1", "y1", "decision"])
        table.writerows([*row[:-1], "accept"] for row in rows)
    return {" ".join(row[:-1]) for row in rows}


def test_from_data_sets_to_the_table(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted after the first student, it goes on; run again, it has nothing to do."""
    monkeypatch.setattr(students, "SETS", {"street": "webval/street"})
    for name in ("human", "raw", "trusted"):
        make_data(tmp_path / name)
    plan = students.Plan(
        shared, tmp_path, tmp_path / "students", seeds=(0,), limit=3, human=tmp_path / "human",
        options=("--config", str(make_config(tmp_path)), "--epochs", "1", "--steps", "2"),
    )  # fmt: skip
    students.train(plan, "human", 0, plan.out / "human-0")
    scores = students.run(plan)
    assert list(scores) == ["human-0", "raw-0", "trusted-0"]
    lines = (plan.out / "table.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "human", "raw", "trusted", "raw − human", "trusted − human", "trusted − raw",
    ]  # fmt: skip
    assert students.run(plan) == scores


@pytest.fixture
def rounds(shared: Path, tmp_path: Path) -> self_training.Rounds:
    """Three photos in the street; of one the teacher says what the student does not see."""
    street = shared / "data/webval/street"
    names = [path.stem for path in sorted((street / "images").glob("*.jpg"))[:3]]
    raw = tmp_path / "raw"
    (raw / "images").mkdir(parents=True)
    for name in names:
        shutil.copy(street / f"images/{name}.jpg", raw / "images")
    masks = ("--out", str(raw / "masks"), "--threshold", "0.5")
    dataengine(None, "predict", "sinet:bundled", str(raw / "images"), *masks)
    wrong = raw / f"masks/{names[-1]}.png"
    mask = cv2.imread(str(wrong), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    cv2.imwrite(str(wrong), np.roll(mask, mask.shape[0] // 2, axis=0))
    (raw / "train.txt").write_text("".join(f"{name}\n" for name in names))
    make_data(tmp_path / "human")
    quick = ("--config", str(make_config(tmp_path)), "--epochs", "1", "--steps", "2")
    plan = students.Plan(
        shared, tmp_path, tmp_path / "rounds", limit=2, human=tmp_path / "human", options=quick
    )
    return self_training.Rounds(plan=plan, first=BUNDLED["sinet:bundled"], rounds=1)


def test_what_the_teacher_sees_otherwise_does_not_pass_the_gate(
    rounds: self_training.Rounds,
) -> None:
    learnt = {
        arm: (self_training.labelled(rounds, arm, 1, rounds.first) / "train.txt").read_text()
        for arm in ("all", "gated")
    }
    names = learnt["all"].split()
    assert len(names) == 3
    assert learnt["gated"].split() == names[:2]
    for file in (rounds.plan.out / "data-gated-1/masks").iterdir():
        mask = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert mask is not None
        assert set(np.unique(mask)) == {0, 255}, "as `train` takes it"


@pytest.mark.campaign
def test_rounds_of_self_training(
    rounds: self_training.Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run again, nothing is done."""
    for module in (students, self_training):
        monkeypatch.setattr(module, "SETS", {"street": "webval/street"})
    scores = self_training.run(rounds)
    assert list(scores) == ["first", "human-1", "all-1", "gated-1"]
    lines = (rounds.plan.out / "table.md").read_text().splitlines()[2:]
    assert [line.split("|")[2].strip() for line in lines] == [
        "all begin with it", "human", "all", "gated", "all − human", "gated − human", "gated − all",
    ]  # fmt: skip
    assert (rounds.plan.out / "curves.png").stat().st_size > 5_000
    assert self_training.run(rounds) == scores


def test_a_source_is_left_out(tmp_path: Path) -> None:
    trusted = tmp_path / "collected/trusted"
    trusted.mkdir(parents=True)
    (trusted / "train.txt").write_text("wtd_01-3\nfigaro_02-1\nwtd18_02-9\n")
    plan = students.Plan(tmp_path, tmp_path / "collected", tmp_path / "out")
    human, rest = students.data_of(plan, students.without("wtd"))
    assert human == tmp_path / "data/eg1800"
    assert (rest / "train.txt").read_text() == "figaro_02-1\n"


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


def test_teachers_alone_as_a_mean_and_by_views(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teachers.main(["sinet:bundled", "bundled,sinet:bundled", "--shared", str(shared), "--limit=2"])
    head, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [row[0] for row in cells] == [
        "sinet:bundled", "sinet:bundled, four views",
        "bundled,sinet:bundled", "bundled,sinet:bundled, four views",
    ]  # fmt: skip
    assert head.count("|") == 7
    for row in cells:
        assert all(70 < float(iou) < 100 for iou in row[1:4])
    assert all(80 < float(row[4]) < 100 for row in cells[::2])


def test_what_is_held_back(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (*held_back.FOLDERS.values(), "trusted", "reviewed"):
        make_data(tmp_path / name)
    folders = ["--shared", str(shared), "--collected", str(tmp_path)]
    held_back.main(["sinet:bundled", *folders, "--learnt"])
    head, _, row = capsys.readouterr().out.splitlines()
    learnt = "| hand, learnt | certified, learnt |"
    assert head == f"| native IoU | hand | certified | wider | doubtful {learnt}"
    ious = [float(cell) for cell in row.split("|")[2:-1]]
    assert ious[0] == pytest.approx(96.19, abs=0.03), "as the model card says"
    assert ious[4] == pytest.approx(95.85, abs=0.03), "as docs/science.md says"
    assert all(0 < iou < 100 for iou in ious[1:4])
    first = {"hand": np.array([0.9, 0.8]), "hand, learnt": np.full(3, 0.95)}
    other = {"hand": np.array([0.8, 0.7]), "hand, learnt": np.full(3, 0.7)}
    told = held_back.further_ahead(first, other, "hand")
    assert told == "hand +15.00 (+15.00 to +15.00)", "0.25 ahead, beside 0.1"
    sets = held_back.sets(shared, tmp_path, learnt=True)
    assert len(sets["hand, learnt"]) == 212
    assert not {each.name for each in sets["hand"]} & {each.name for each in sets["hand, learnt"]}


def test_where_networks_are_wrong(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = np.zeros((100, 100), bool)
    truth[20:80, 20:80] = True
    said = np.zeros_like(truth)
    said[20:80, 21:81] = True  # a pixel to the right
    said[:5, :8] = True
    found = errors.shares(said, truth)
    assert found == pytest.approx(100 * np.array([59 * 60, 60, 0, 60, 40]) / 3700)
    networks = ["bundled", "sinet:bundled", "views:sinet:bundled"]
    errors.main([*networks, "--shared", str(shared), "--limit", "12", "--looked-at", "3"])
    lines = capsys.readouterr().out.splitlines()
    names = tuple(f"| {name} " for name in networks)
    rows = [line.split("|")[1:-1] for line in lines if line.startswith(names)]
    assert len(rows) == 9
    for row in rows:
        assert sum(map(float, row[1:6])) == pytest.approx(100, abs=0.03)
    assert ["a quarter" in row[-1] for row in rows] == [False, True, True] * 3
    apart = [
        line for line in lines if line.startswith("the second ahead of the first: looked at, 3 ")
    ]
    assert len(apart) == 3
    assert all("; others, 9 photos: +" in line for line in apart), apart


def test_the_line_is_moved_and_weights_are_mixed(tmp_path: Path, astronaut: np.ndarray) -> None:
    bundled, out = BUNDLED["sinet:bundled"], tmp_path / "out.safetensors"
    finish.main([str(bundled)] * 2 + ["--threshold", "0.7", "--out", str(out)])
    before = load_model("sinet:bundled").person_at_input(astronaut)
    after = load_model(out).person_at_input(astronaut)
    expected = before / (before + (1 - before) * 7 / 3)
    inside = slice(2, -2)  # the last convolution sees less at the rim
    assert after[inside, inside] == pytest.approx(expected[inside, inside], abs=2e-4)
    first, second = (load_model(bundled).network for _ in range(2))
    assert isinstance(first, SINet)
    assert isinstance(second, SINet)
    with torch.no_grad():
        second.classifier.weight += 1
    kernel = first.classifier.weight.clone()
    finish.mix(first, second, 0.25)
    assert torch.allclose(first.classifier.weight, kernel + 0.25)
