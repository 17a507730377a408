"""`dataengine models` and `dataengine bench models`."""

import json
from pathlib import Path

from sinet.networks import NETWORKS
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_data


def test_the_list_of_networks(run: Run) -> None:
    answer = run("models", "--json")
    assert answer.code == 0, answer.err
    listed = {(each["name"], each["backbone"]): each for each in json.loads(answer.out)}
    assert {name for name, _ in listed} == set(NETWORKS)
    assert listed["sinet", None]["parameters"] == 86_910
    assert listed["liteseg", "mobilenet_v2"]["parameters"] == 3_100_058
    assert all(each["source"] and each["licence"] for each in listed.values())


def test_a_table_and_a_plot(run: Run, tmp_path: Path) -> None:
    data = make_data(tmp_path / "data")
    options = ["--epochs", "1", "--side", "32", "--runs", "1", "--device", "cpu"]
    answer = run("bench", "models", "extremec3net", "--data", data, *options)
    assert answer.code == 0, answer.err
    (row,) = json.loads(Path("bench/models.json").read_text())["rows"]
    assert row["network"]["parameters"] == 37_762
    assert set(row["speed"]["eager_ms"]) == set(row["speed"]["exported_ms"]) == {"1", "2"}
    assert 0 <= row["trained"]["iou"] <= 1
    # Of the network's own process, whatever the one that trained it needed.
    assert 0.5 < row["speed"]["memory_mb"] < 500
    table = Path("bench/models.md").read_text()
    assert "Trained for 1 epochs" in table
    assert "| extremec3net | 37,762 |" in table
    assert Path("bench/models.png").stat().st_size > 1000


def test_an_unknown_network_is_one_line(run: Run) -> None:
    assert_one_line_error(run("bench", "models", "sanett"), "no network `sanett`; did you mean san")
    assert_one_line_error(run("bench", "models", "--side", "100"), "multiple of 32")
    assert list(Path.cwd().iterdir()) == []
