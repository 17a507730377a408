"""`dataengine train`: trains, resumes, stops, refuses."""

import csv
import json
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataengine.console.shared.progress import _PlainLines
from pipelines.rounds import learning as training
from sinet.checkpoint import load_checkpoint
from sinet.data import samples_to_learn
from sinet.training import compiling
from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_checkpoint, make_config, make_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return make_config(tmp_path)


def losses(out: Path) -> list[str]:
    with (out / "log.csv").open() as file:
        return [row["loss"] for row in csv.DictReader(file)]


def test_a_run_from_beginning_to_end(run: Run, data: Path, config: Path) -> None:
    answer = run("train", "--data", data, "--config", config, "--held-out", "0.5")
    assert answer.code == 0, answer.err
    out = Path("runs/sinet")
    for name in ("last.safetensors", "log.csv", "tensorboard", "overlays"):
        assert str(out / name) in answer.out
        assert (out / name).exists()
    assert "5 images, 3 held out, 2 epochs" in answer.err
    assert "whole 2/2: loss" in answer.err
    assert "held-out IoU" in answer.err
    assert load_checkpoint(out / "last.safetensors").training["samples"] == 5
    again = run("train", "--data", data, "--config", config)
    assert_one_line_error(again, r"runs/sinet: holds a run; go on with it \(--resume\) or give ano")


def test_several_data_sets_are_learnt_from_together(
    run: Run, data: Path, config: Path, tmp_path: Path
) -> None:
    """The names of both are the same; of each the same images are held out as if it were alone."""
    other = make_data(tmp_path / "other")
    alone = run("train", "--data", data, "--config", config, "--held-out", "0.5")
    assert "5 images, 3 held out" in alone.err
    options = ("--data", data, "--data", other, "--config", config, "--held-out", "0.5")
    both = run("train", *options, "--out", tmp_path / "both")
    assert both.code == 0, both.err
    assert "10 images, 6 held out" in both.err
    learnt, held = samples_to_learn([data, other], 0.5)
    assert len({sample.name for sample in [*learnt, *held]}) == 16
    ends = [{sample.name[2:] for sample in learnt if sample.name[0] == n} for n in "12"]
    assert ends[0] == ends[1] == {sample.name for sample in samples_to_learn([data], 0.5)[0]}
    twice = run("train", "--data", data, "--data", data / "../data", "--out", "x")
    assert_one_line_error(twice, "data: given twice; name each data set once")
    missing = run("train", "--data", data, "--data", tmp_path / "gone", "--out", "x")
    assert_one_line_error(missing, "gone: no such folder")


def test_resumed_after_ctrl_c_it_ends_at_the_same_numbers(
    run: Run, data: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = run(
        "train",
        "--data",
        data,
        "--config",
        config,
        "--out",
        "straight",
        "--held-out",
        "0",
        "--json",
    )
    assert straight.code == 0, straight.err
    outcome = json.loads(straight.out)
    assert outcome["epochs"] == 2
    assert outcome["held_out_iou"] is None
    assert outcome["weights"] == "straight/last.safetensors"

    advance = _PlainLines.advance
    monkeypatch.setattr(_PlainLines, "advance", interrupt)
    broken = run("train", "--data", data, "--config", config, "--out", "b r", "--held-out", "0")
    assert broken.code == 130
    _, command = broken.err.splitlines()[-1].split("to go on: ")
    assert "Stopped. 1 epochs are kept" in broken.err

    monkeypatch.setattr(_PlainLines, "advance", advance)
    resumed = run(*shlex.split(command)[1:])  # without --config: the run knows its own
    assert resumed.code == 0, resumed.err
    assert losses(Path("b r")) == losses(Path("straight"))
    changed = run(*shlex.split(command)[1:], "--epochs", "5")
    assert_last_line(changed.err, "its run has another configuration: epochs")
    other = run("train", "--data", data, "--out", "b r", "--resume", "--held-out", "0.5")
    assert_last_line(other.err, "its run was trained on other samples")


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def assert_last_line(text: str, expected: str) -> None:
    last = text.splitlines()[-1]
    assert last.startswith("error: ")
    assert expected in last


def test_stopped_before_an_epoch_ended(
    run: Run, data: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train_in_processes", interrupt)
    answer = run("train", "--data", data, "--config", config)
    assert answer.code == 130
    assert "nothing to resume" in answer.err


def test_options_override_the_recipe(
    run: Run, data: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(training, "train_in_processes", lambda run, *_: seen.append(run.config))
    options = ["--epochs", "7", "--stage-epochs", "3", "--json"]
    assert run("train", "--data", data, "--config", config, *options).code == 0
    assert (seen[0].epochs, seen[0].encoder_epochs, seen[0].model) == (7, 3, "sinet")


def test_without_a_compiler_it_trains_uncompiled(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (training, compiling):
        monkeypatch.setattr(module, "has_compiler", lambda _: False)
    monkeypatch.setattr(compiling, "_WORTH_IT", 0)
    config = make_config(tmp_path, compile=True, epochs=1)
    answer = run("train", "--data", data, "--config", config)
    assert answer.code == 0, answer.err
    assert "No C++ compiler" in answer.err


def test_distilled_from_a_teacher_and_started_from_weights(
    run: Run, data: Path, config: Path
) -> None:
    teacher = make_checkpoint(Path("teacher.safetensors"))
    arguments = ["--data", data, "--config", config, "--init", teacher]
    answer = run("train", *arguments, "--teacher", f"sinet:{teacher}", "--held-out", "0")
    assert answer.code == 0, answer.err
    training = load_checkpoint("runs/sinet/last.safetensors").training
    assert training["config"]["losses"]["distillation"] == 0.5
    assert training["init"].startswith("teacher.safetensors@sha256:")
    masks = [path.stem for path in Path("runs/sinet/soft_masks").glob("*.png")]
    assert sorted(masks) == [f"p{number:02}" for number in range(8)]
    # Going on needs no teacher: its masks and the recipe are in the run's folder.
    again = run("train", "--data", data, "--resume", "--held-out", "0")
    assert again.code == 0, again.err


def test_a_recipe_that_distils_needs_a_teacher(run: Run, data: Path, tmp_path: Path) -> None:
    config = make_config(tmp_path, losses={"distillation": 1.0})
    answer = run("train", "--data", data, "--config", config)
    assert_one_line_error(answer, "the recipe distils from a teacher; name it with --teacher")


def test_another_network_trains_evaluates_predicts_and_converts(
    run: Run, data: Path, config: Path
) -> None:
    options = ["--model", "liteseg", "--backbone", "shufflenet", "--epochs", "1"]
    answer = run("train", "--data", data, "--config", config, *options)
    assert answer.code == 0, answer.err
    weights = "runs/liteseg/last.safetensors"
    network = load_checkpoint(weights).network
    assert network.options == {
        "backbone": "shufflenet", "output_stride": "published",
        "long": True, "pyramid": "daspp", "short": True,
    }  # fmt: skip
    assert run("evaluate", weights, "--data", data).code == 0
    assert run("predict", weights, data / "images", "--out", "masks").code == 0
    assert run("convert", weights, "--out", "network.onnx").code == 0
    other = run("train", "--data", data, "--config", config, "--out", "b", "--init", weights)
    assert_last_line(other.err, "holds `liteseg`, not `sinet`")
    same = ["--model", "liteseg", "--init", weights, "--out", "b"]
    other = run("train", "--data", data, "--config", config, *same)
    assert_last_line(
        other.err,
        "backbone shufflenet, output_stride published, pyramid daspp, short True, long True, not",
    )


def test_pretrained_without_internet_is_one_line(
    run: Run, data: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    arguments = ["--data", data, "--config", config, "--pretrained"]
    answer = run("train", *arguments, "--model", "liteseg")
    assert_last_line(answer.err, "of mobilenet_v2 cannot be downloaded (no route to host): put")
    answer = run("train", *arguments, "--model", "cgnet")
    assert_last_line(answer.err, "there are no pretrained weights for cgnet")


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["--data", "missing"], "missing: no such folder: give one with `images` and `masks`"),
        (["--data", "{data}", "--config", "shiny"], r"shiny: no such file, .*paper, portrait"),
        (["--data", "{data}", "--resume"], "runs/sinet: there is no run to resume"),
        (["--data", "{data}", "--out", "{data}/val.txt"], "val.txt: not a folder"),
        (["--data", "{data}", "--epochs", "0"], "encoder_epochs and epochs are both 0"),
        (["--data", "{data}", "--model", "deeplab", "--stage-epochs", "1"], "deeplab has no"),
        (["--data", "{data}", "--model", "cgnett"], "no network `cgnett`; did you mean cgnet"),
        (["--data", "{data}", "--backbone", "x"], "sinet has no option `backbone`"),
        (["--data", "{data}", "--device", "cuda"], "no CUDA device"),
        (["--data", "{data}", "--teacher", "onnx:gone.onnx"], "gone.onnx: no such ONNX file"),
        (["--data", "{data}", "--init", "gone.safetensors"], "gone.safetensors: no such file"),
    ],
)
def test_what_is_mistyped_is_one_line(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], pattern: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    answer = run("train", *(argument.format(data=data) for argument in arguments))
    assert_one_line_error(answer, pattern)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("mistake", ["missing mask", "other size", "empty", "absent", "broken"])
def test_bad_data_is_one_line_and_writes_nothing(
    run: Run, data: Path, config: Path, mistake: str
) -> None:
    mask, image = data / "masks/p00.png", data / "images/p00.png"
    match mistake:
        case "missing mask":
            mask.unlink()
            pattern = "data: 1 images have no mask, first p00"
        case "other size":
            cv2.imwrite(str(mask), np.zeros((10, 20), np.uint8))
            pattern = r"p00\.png: the mask is 20 × 10, its image 48 × 60"
        case "empty":
            (data / "train.txt").write_text("\n")
            pattern = "the split train is empty"
        case "absent":
            (data / "train.txt").write_text("nobody\n")
            pattern = r"train\.txt: 1 images are not there, first nobody"
        case "broken":
            image.write_bytes(image.read_bytes()[:200])
            pattern = r"p00\.png: no image, or damaged"
    answer = run("train", "--data", data, "--config", config)
    assert (answer.code, answer.out) == (1, "")
    assert_last_line(answer.err, "error: ")
    assert "Traceback" not in answer.err
    assert re.search(pattern, answer.err.splitlines()[-1]), answer.err
    assert list(Path.cwd().iterdir()) == []


def test_the_command_to_go_on_says_the_same_of_the_masks(tmp_path: Path) -> None:
    import pipelines
    from dataengine.console.train import _resume_command

    masks = pipelines.MaskSettings(person_class=15, channel="colour", invert=True)
    request = pipelines.TrainRequest(data=(tmp_path,), masks=masks)
    done = pipelines.Trained(
        out=tmp_path / "run", interrupted=True, epochs=1, weights=tmp_path, curves=tmp_path,
        tensorboard=None, overlays=None, loss=None, held_out_iou=None,
    )  # fmt: skip
    assert _resume_command(request, done).endswith(
        "--mask-class 15 --mask-channel colour --mask-invert"
    )
