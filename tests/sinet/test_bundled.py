"""The weights that come with the package, and what docs/results.md and README say of them."""

import re
from pathlib import Path

import numpy as np
import pytest

from sinet import load_model
from sinet.bundled import BUNDLED, FOLDER
from sinet.data import find_samples
from sinet.evaluate import evaluate
from sinet.models import cost, load_person_model
from sinet.network_ref import as_ref
from sinet.predict import predict
from sinet.training import TrainingConfig

ROOT = Path(__file__).parents[2]
LARGEST_BYTES = {"sinet:bundled": 500_000, "bundled": 6_000_000}


def results_table() -> dict[str, dict[str, str]]:
    """Column → row → cell of the page's table of results."""
    return table(ROOT / "docs/results.md", "| | `sinet:b")


def table(page: Path, begin: str) -> dict[str, dict[str, str]]:
    """Column → row → cell of the table whose first line begins so."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(begin))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    columns = rows[0][1:]
    return {
        column: {row[0]: row[number] for row in rows[2:]}
        for number, column in enumerate(columns, 1)
    }


@pytest.mark.parametrize("name", BUNDLED)
def test_they_are_small_and_say_how_they_were_made(name: str) -> None:
    assert as_ref(name).weights().stat().st_size < LARGEST_BYTES[name]
    training = load_model(name).training
    TrainingConfig.model_validate(training["config"])
    assert training["samples"] == {"sinet:bundled": 3644, "bundled": 1057}[name]
    assert "research use only" in (FOLDER / "LICENSE-WEIGHTS.txt").read_text()


def test_a_path_stands_for_itself(tmp_path: Path) -> None:
    assert as_ref(tmp_path / "bundled").file == tmp_path / "bundled"


def test_sinet_finds_the_astronaut(astronaut: np.ndarray) -> None:
    person = predict(load_model("sinet:bundled"), astronaut) > 0.5
    assert person[100:160, 190:260].mean() > 0.99  # the face
    assert person[:150, 400:].mean() < 0.01  # the wall


@pytest.mark.parametrize("column", ["sinet:bundled", "authors' checkpoint", "bundled"])
def test_the_page_tells_what_is_measured(shared: Path, column: str) -> None:
    told = results_table()[column]
    name = {"authors' checkpoint": shared / "weights/sinet_official.pth"}.get(column, column)
    model = load_person_model(name)
    known = cost(model)
    assert told["parameters"] == f"{known.parameters:,}"
    assert known.macs is not None
    assert told["MACs of an image"] == f"{known.macs / 1e6:,.2f} M"
    mean = evaluate(model, find_samples(shared / "data/eg1800", "val")).mean
    for row, value in (
        ("native IoU", mean.native_iou),
        ("IoU at 224 × 224", mean.iou),
        ("boundary F1", mean.boundary_f1),
    ):
        assert leading_number(told[row]) == pytest.approx(100 * value, abs=0.02)


def leading_number(cell: str) -> float:
    """The first of the figures in a cell."""
    said = re.match(r"[\d.]+", cell)
    assert said is not None
    return float(said[0])


@pytest.mark.parametrize(("row", "photos"), [("in the street", "street"), ("faces", "faces")])
def test_the_page_tells_how_it_does_on_other_photos(shared: Path, row: str, photos: str) -> None:
    told = results_table()["sinet:bundled"][f"{row}: mean / worst slice"]
    model = load_person_model("sinet:bundled")
    mean = evaluate(model, find_samples(shared / "data/webval" / photos)).mean
    assert leading_number(told) == pytest.approx(100 * mean.native_iou, abs=0.02)


def test_the_readme_tells_the_same() -> None:
    told, results = table(ROOT / "README.md", "| | parameters"), results_table()
    rows = {
        "parameters": "parameters",
        "EG1800": "native IoU",
        "street": "in the street: mean / worst slice",
        "faces": "faces: mean / worst slice",
    }
    assert list(told) == list(rows)
    for column, row in rows.items():
        said = [cell.replace(",", "") for cell in told[column].values()]
        expected = [results[network][row].replace(",", "") for network in results]
        assert [leading_number(cell) for cell in said] == [
            leading_number(cell) for cell in expected
        ]
