"""`train` and `evaluate --classes` on a data set of 19 classes."""

import json
from pathlib import Path

from sinet.checkpoint import load_checkpoint
from sinet.training.records import read_log
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_checkpoint, make_config, make_data
from tests.sinet.many_classes import NAMES, make_classes

LOSSES = {"cross_entropy": 1, "boundary": 0.5, "jaccard": 0.5, "lovasz": 0.5, "coarse": 0.4}


def test_nineteen_classes_are_learnt_and_scored(run: Run, tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data")
    config = make_config(tmp_path, losses=LOSSES, epochs=8, learning_rate=0.01)
    options = ["--config", config, "--out", "run", "--held-out", "0.3", "--device", "cpu"]
    answer = run("train", "--data", data, *options)
    assert answer.code == 0, answer.err
    weights = Path("run/last.safetensors")
    model = load_checkpoint(weights)
    assert model.network.classes == 19
    assert tuple(model.training["class_names"]) == NAMES
    first, *_, last = read_log(Path("run"))
    assert last.loss < first.loss
    assert 0 <= last.held_out_iou <= 1
    answer = run("evaluate", weights, "--data", data, "--classes", "--json")
    found = json.loads(answer.out)
    assert (found["split"], found["images"]) == ("val", 2)
    assert [each["name"] for each in found["classes"]] == list(NAMES)
    ious = [each["iou"] for each in found["classes"] if each["iou"] is not None]
    assert abs(found["miou"] - sum(ious) / len(ious)) < 1e-9
    shown = run("evaluate", weights, "--data", data, "--classes").out
    assert "traffic light" in shown
    assert "2 of 19 classes, indices of a palette" in shown
    assert_one_line_error(
        run("evaluate", weights, "--data", data), "has 19 classes, .*`evaluate --classes` scores it"
    )


def test_classes_that_do_not_fit_are_one_line(run: Run, tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data")
    portrait = make_checkpoint(tmp_path / "portrait.safetensors")
    line = ["evaluate", portrait, "--data", data, "--classes"]
    assert_one_line_error(run(*line), r"has 2 classes .* 19 \(road, sidewalk, building, …\)")
    assert run(*line, "--slices").code == 2
    portraits = make_data(tmp_path / "portraits")
    line = ["evaluate", portrait, "--data", portraits, "--classes"]
    assert_one_line_error(run(*line), r"no classes\.txt in it, and neither Cityscapes")
    config = make_config(tmp_path, losses={"distillation": 0.5})
    line = ["train", "--config", config, "--data", data, "--teacher", "sinet:bundled"]
    assert_one_line_error(
        run(*line, "--device", "cpu"), "knows only a person, not 19 classes: set it 0"
    )
    config = make_config(tmp_path)
    line = ["train", "--config", config, "--data", data, "--data", portraits, "--out", "both"]
    assert_one_line_error(run(*line), "different classes: learn from them one by one")
