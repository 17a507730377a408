"""`dataengine models` and `dataengine bench models`."""

import json
from pathlib import Path

from sinet.networks import NETWORKS
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_checkpoint, make_data


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


def test_networks_with_weights_are_measured_as_they_are(run: Run, tmp_path: Path) -> None:
    data, checkpoint = make_data(tmp_path / "data", 6), make_checkpoint(tmp_path / "a.safetensors")
    exported = tmp_path / "foreign.onnx"
    assert run("convert", checkpoint, "--out", exported, "--check", data / "images").code == 0
    given = ["--network", checkpoint, "--onnx", exported]
    answer = run("bench", "models", *given, "--data", data, "--runs", "1", "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert "scored on `val` of data" in found["protocol"]
    assert "Trained for" not in found["protocol"]
    ours, foreign = found["rows"]  # nothing else was asked for
    assert [row["network"]["name"] for row in (ours, foreign)] == ["a.safetensors", "foreign.onnx"]
    assert ours["network"]["parameters"] == 86_910
    assert foreign["network"]["macs"] is None
    assert foreign["network"]["source"] == "an exported network"
    assert foreign["speed"]["eager_ms"] == {}
    assert set(foreign["speed"]["exported_ms"]) == set(ours["speed"]["exported_ms"]) == {"1", "2"}
    assert foreign["speed"]["exported_bytes"] == exported.stat().st_size
    for row, name in ((ours, checkpoint), (foreign, exported)):
        scored = json.loads(run("evaluate", name, "--data", data, "--json").out)["mean"]
        assert row["trained"] == {key: scored[key] for key in ("native_iou", "iou", "boundary_f1")}
        assert row["input"] == [32, 32]
        assert 0 < row["speed"]["memory_mb"] < 500
    table = Path("bench/models.md").read_text()
    assert table.index("| native IoU | IoU |") > 0
    assert "| foreign.onnx | " in table


def test_what_cannot_be_timed_is_one_line(run: Run) -> None:
    assert_one_line_error(
        run("bench", "models", "--network", "auto"), "of another package, but bench takes sinet:cu"
    )
    assert_one_line_error(run("bench", "models", "--onnx", "no.onnx"), "no such ONNX file")
    assert_one_line_error(run("bench", "models", "--onnx", "a.pth"), "give sinet:a.pth")
    assert list(Path.cwd().iterdir()) == []


def test_an_unknown_network_is_one_line(run: Run) -> None:
    assert_one_line_error(run("bench", "models", "sanett"), "no network `sanett`; did you mean san")
    assert_one_line_error(run("bench", "models", "--side", "100"), "multiple of 32")
    assert list(Path.cwd().iterdir()) == []
