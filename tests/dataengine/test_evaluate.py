"""`dataengine evaluate`: scores of any kind of weights, and what cannot be scored."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_checkpoint, make_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data", count=6)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "a.safetensors")


def test_scores_for_scripts(run: Run, data: Path, checkpoint: Path) -> None:
    other = make_checkpoint(checkpoint.with_name("b.safetensors"), seed=1)
    answer = run("evaluate", checkpoint, "--data", data, "--compare", other, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["split"], found["images"], found["parameters"]) == ("val", 4, 86_910)
    assert found["macs"] == pytest.approx(63.87e6 * (32 / 224) ** 2, rel=0.01)
    assert list(found["mean"])[:2] == ["native_iou", "iou"]
    for name in ("native_iou", "iou"):
        ious = [scores[name] for scores in found["by_image"].values()]
        assert found["mean"][name] == pytest.approx(sum(ious) / 4)
        low, high = found[f"{name}_interval_95"]
        assert min(ious) <= low <= found["mean"][name] <= high <= max(ious)
        difference = found[f"{name}_difference"]
        assert difference["difference"] == pytest.approx(
            found["mean"][name] - found["compared_with"]["mean"][name]
        )
        assert difference["low"] <= difference["difference"] <= difference["high"]


def test_scores_for_people_and_the_worst(run: Run, data: Path, checkpoint: Path) -> None:
    answer = run(
        "evaluate", checkpoint, "--data", data, "--worst", "3", "--out", "w.png", "--split", "all"
    )
    assert answer.code == 0, answer.err
    assert "6 images" in answer.out
    for expected in ("authors' metric", "native", "mIoU", "boundary F1", "Boundary IoU", "86,910"):
        assert expected in answer.out
    assert answer.out.index("native size") < answer.out.index("224 × 224")
    assert [path.name for path in Path.cwd().iterdir()] == ["w.png"]
    with Image.open("w.png") as sheet:
        assert min(sheet.size) > 300


def test_two_files_of_one_name_are_told_apart(run: Run, data: Path, checkpoint: Path) -> None:
    (checkpoint.parent / "other").mkdir()
    other = make_checkpoint(checkpoint.parent / "other" / checkpoint.name, seed=1)
    answer = run("evaluate", checkpoint, "--data", data, "--compare", other)
    assert answer.code == 0, answer.err
    assert f"{checkpoint.parent.name}/a.safetensors" in answer.out
    assert "other/a.safetensors" in answer.out


def test_the_limit_takes_the_first(run: Run, data: Path, checkpoint: Path) -> None:
    answer = run("evaluate", checkpoint, "--data", data, "--limit", "1", "--json")
    assert list(json.loads(answer.out)["by_image"]) == ["p02"]


def test_the_authors_checkpoint(run: Run, shared: Path) -> None:
    answer = run(
        "evaluate", shared / "weights/sinet_official.pth",
        "--data", shared / "data/eg1800", "--limit", "8", "--json",
    )  # fmt: skip
    found = json.loads(answer.out)
    assert found["parameters"] == 86_910
    assert found["macs"] == pytest.approx(63.87e6, rel=1e-3)
    assert found["mean"]["iou"] == pytest.approx(0.951, abs=0.001)


def test_an_onnx_deeplab(run: Run, shared: Path) -> None:
    answer = run(
        "evaluate", shared / "weights/deeplabv3_mobilenetv2_voc.onnx",
        "--data", shared / "data/eg1800", "--limit", "2", "--json",
    )  # fmt: skip
    found = json.loads(answer.out)
    assert found["macs"] is None
    assert found["parameters"] == pytest.approx(2.1e6, rel=0.1)
    assert found["mean"]["native_iou"] > 0.9


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("missing", r"x\.safetensors: no such file"),
        ("cut", r"x\.safetensors: cut off, damaged"),
        ("foreign", r"x\.safetensors: a safetensors file, but no checkpoint of ours"),
        ("cut pth", r"x\.pth: broken or cut off"),
        ("foreign pth", r"x\.pth: another network: 2 entries, the authors' SINet has 393"),
        ("cut onnx", r"x\.onnx: cut off, damaged, or no ONNX network"),
    ],
)
def test_a_bad_checkpoint_is_one_line(
    run: Run, data: Path, checkpoint: Path, tmp_path: Path, kind: str, pattern: str
) -> None:
    path = tmp_path / pattern.partition(":")[0].replace("\\", "")
    match kind:
        case "cut":
            path.write_bytes(checkpoint.read_bytes()[:5000])
        case "foreign":
            from safetensors.torch import save_file

            save_file({"a": torch.zeros(1)}, path)
        case "foreign pth":
            torch.save(torch.nn.Linear(2, 2).state_dict(), path)
        case "cut pth" | "cut onnx":
            path.write_bytes(checkpoint.read_bytes()[:5000])
    assert_one_line_error(
        run("evaluate", path, "--data", data, "--worst", "1", "--out", "w.png"), pattern
    )
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["--split", "dev"], r"has neither dev\.txt nor a folder dev"),
        (["--split", "empty"], "the split empty is empty"),
        (["--worst", "2", "--out", "w.gif"], "name it .png or .jpg"),
        (["--worst", "2", "--out", "missing/w.png"], "no folder missing"),
        (["--split", "odd"], r"the mask is 20 × 10, its image 48 × 60"),
    ],
)
def test_bad_data_is_one_line(
    run: Run, data: Path, checkpoint: Path, arguments: list[str], pattern: str
) -> None:
    (data / "empty.txt").touch()
    (data / "odd.txt").write_text("p00\n")
    cv2.imwrite(str(data / "masks/p00.png"), np.zeros((10, 20), np.uint8))
    assert_one_line_error(run("evaluate", checkpoint, "--data", data, *arguments), pattern)
    assert list(Path.cwd().iterdir()) == []


def test_slices_and_the_worst_of_them(run: Run, tmp_path: Path, checkpoint: Path) -> None:
    data = make_data(tmp_path / "many", count=44)
    table = tmp_path / "hats.csv"
    table.write_text(
        "file,hat\n" + "".join(f"p{n:02}.png,{1 if n < 25 else -1}\n" for n in range(43))
    )
    arguments = ("--data", data, "--split", "all", "--slices", "--attributes", table)
    answer = run("evaluate", checkpoint, *arguments)
    assert answer.code == 0, answer.err
    assert "1 images have no row: p43" in answer.err
    for expected in ("native IoU by slice", "brightness", "not found", "hat", "not given"):
        assert expected in answer.out
    assert "fewer than 20 images cannot be the worst" in answer.out
    found = json.loads(run("evaluate", checkpoint, *arguments, "--json").out)
    hats = {each["value"]: each for each in found["slices"] if each["trait"] == "hat"}
    assert {value: each["images"] for value, each in hats.items()} == {
        "yes": 25, "no": 18, "not given": 1,
    }  # fmt: skip
    wearing = [found["by_image"][f"p{n:02}"]["native_iou"] for n in range(25)]
    assert hats["yes"]["native_iou"] == pytest.approx(np.mean(wearing))
    assert hats["no"]["native_iou_interval_95"] is None
    worst = found["worst_slice"]
    assert worst["slice"] in found["slices"]
    assert worst["slice"]["native_iou"] == min(
        each["native_iou"] for each in found["slices"] if each["images"] >= 20
    )
    below = found["mean"]["native_iou"] - worst["slice"]["native_iou"]
    assert worst["below_mean"] == pytest.approx(below)
    assert run("evaluate", checkpoint, *arguments, "--compare", checkpoint).code == 0


def test_a_bad_table_of_attributes_is_one_line(run: Run, data: Path, checkpoint: Path) -> None:
    Path("hats.csv").write_text("file,hat\nx,1\n")
    assert_one_line_error(
        run("evaluate", checkpoint, "--data", data, "--slices", "--attributes", "hats.csv"),
        r"hats\.csv: none of its 1 rows is about one of the 4 images; it names x, the data set p02",
    )
    alone = run("evaluate", checkpoint, "--data", data, "--attributes", "hats.csv")
    assert alone.code == 2
