"""The same exported network gives the same masks through every command, without PyTorch."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.conftest import FAST_INGEST
from tests.dataengine.conftest import Run
from tests.sinet.onnx.networks import Build

Grey = npt.NDArray[np.uint8]


def grey(path: Path) -> Grey:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"), np.uint8)


@pytest.fixture
def portraits(run: Run, tmp_path: Path, astronaut: Grey, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two photos; the fakes find a face in each."""
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(astronaut).save(folder / "a.png")
    Image.fromarray(astronaut[20:420, 90:390]).save(folder / "b.png")
    return folder


def ingested(run: Run, photos: Path, network: Path) -> Iterator[tuple[Path, Grey]]:
    """Each portrait's crop with the probability that `ingest` stored."""
    workspace = photos.parent / "ws"
    answer = run("-w", workspace, "ingest", photos, "--teacher", f"onnx:{network}")
    assert answer.code == 0, answer.err
    query = (
        "SELECT portrait.blob, mask.probability_blob FROM mask "
        "JOIN portrait ON portrait.id = mask.portrait_id"
    )
    with closing(sqlite3.connect(workspace / "dataengine.db")) as database:
        rows = database.execute(query).fetchall()
    assert len(rows) == 2
    for crop, probability in rows:
        yield workspace / "store" / crop, grey(workspace / "store" / probability)


def export_sinet(path: Path, run: Run) -> Path:
    answer = run("convert", "sinet:bundled", "--out", path)
    assert answer.code == 0, answer.err
    return path


@pytest.mark.parametrize("name", ["deeplabv3_mobilenetv2_voc", "mediapipe_selfie", "sinet"])
def test_one_file_one_mask(
    run: Run, shared: Path, portraits: Path, tmp_path: Path, name: str
) -> None:
    network = shared / f"weights/{name}.onnx"
    if name == "sinet":
        network = export_sinet(tmp_path / "sinet.onnx", run)
    data = tmp_path / "data"
    for folder in ("images", "masks"):
        (data / folder).mkdir(parents=True)
    expected = {}
    for number, (crop, probability) in enumerate(ingested(run, portraits, network)):
        (data / f"images/{number}.jpg").write_bytes(crop.read_bytes())
        expected[f"{number}"] = probability
        cv2.imwrite(str(data / f"masks/{number}.png"), (probability > 127) * np.uint8(255))
    assert any((each > 127).mean() > 0.1 for each in expected.values()), "it sees a person"
    answer = run("predict", network, data / "images", "--out", "out")
    assert answer.code == 0, answer.err
    for stem, probability in expected.items():
        found = grey(Path(f"out/{stem}.png"))
        assert np.abs(found.astype(int) - probability).max() <= 1
    answer = run("evaluate", f"onnx:{network}", "--data", data, "--json")
    assert json.loads(answer.out)["mean"]["native_iou"] > 0.999


def test_an_answer_of_no_use_fails_the_item(run: Run, portraits: Path) -> None:
    network = Build(1, 0).add("Sqrt").save(portraits.parent / "nan.onnx")
    workspace = portraits.parent / "ws"
    answer = run("-w", workspace, "ingest", portraits, "--teacher", f"onnx:{network}", "--json")
    assert answer.code == 0, answer.err
    status = json.loads(answer.out)["status"]
    assert sum(status["verdicts"].values()) == 0
    failures = run("-w", workspace, "failures", "--stage", "label")
    assert failures.out.count("bad_network_output") == 2
    assert failures.out.count("has NaN") == 2
    alone = run("predict", network, portraits / "a.png", "--out", "out")
    assert alone.code == 1
    assert "has NaN" in alone.err


def test_an_exported_network_needs_no_pytorch(tmp_path: Path) -> None:
    path = Build().save(tmp_path / "x.onnx")
    code = (
        "import sys, numpy as np\n"
        "from pipelines.networks import load_network, load_person_model, parse_network\n"
        f"network = parse_network({str(path)!r})\n"
        "load_person_model(network).person_at_input(np.zeros((9, 9, 3), np.uint8))\n"
        "load_network(network).person_probability([np.zeros((9, 9, 3), np.uint8)])\n"
        "print(*sorted({'torch', 'torchvision'} & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (shown.stdout.strip(), shown.stderr) == ("", "")


def test_masks_that_are_all_empty_end_with_the_likely_cause(run: Run, portraits: Path) -> None:
    network = Build(2, 1, gain=0).add("Sigmoid").save(portraits.parent / "empty.onnx")
    answer = run("-w", portraits.parent / "ws", "ingest", portraits, "--teacher", network, "--json")
    assert answer.code == 0, answer.err
    assert "warning: all 2 masks of empty.onnx are empty or beside the face: it is" in answer.err
    assert "person_index" in json.loads(answer.out)["run"]["warning"]


@pytest.mark.parametrize(("person_index", "warns"), [("1", False), ("0", True)])
def test_masks_of_all_but_the_person_are_told_as_well(
    run: Run, portraits: Path, monkeypatch: pytest.MonkeyPatch, person_index: str, warns: bool
) -> None:
    for picture in portraits.iterdir():
        picture.unlink()
    pixels = np.full((400, 300, 3), (0, 0, 255), np.uint8)
    pixels[60:] = (255, 0, 0)  # the face and all around it
    Image.fromarray(pixels).save(portraits / "red.png")
    network = Build().save(portraits.parent / "x.onnx")
    monkeypatch.setenv("DATAENGINE_TEACHER__ONNX__PERSON_INDEX", person_index)
    answer = run("-w", portraits.parent / "ws", "ingest", portraits, "--teacher", network)
    assert answer.code == 0, answer.err
    assert ("the only mask of x.onnx is empty or beside the face" in answer.err) == warns


def test_what_the_settings_say_of_the_teacher_holds_for_every_command(
    run: Run, portraits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Build(5, 3).save(tmp_path / "five.onnx")
    refused = run("predict", network, portraits, "--out", "out")
    assert refused.code == 1
    assert "say which one is the person with person_index under [teacher.onnx]" in refused.err
    Path("dataengine.toml").write_text("[teacher.onnx]\nperson_index = 3\n")
    assert run("predict", network, portraits, "--out", "out").code == 0
    other = Build().save(tmp_path / "other.onnx")
    Path("dataengine.toml").write_text(
        f"[teacher]\nname = 'onnx:{other}'\n[teacher.onnx]\nperson_index = 3\n"
    )
    monkeypatch.delenv("DATAENGINE_TEACHER__NAME")
    still = run("predict", network, portraits, "--out", "more")
    assert "with person_index in its metadata" in still.err


def test_predict_and_evaluate_tell_what_is_odd(run: Run, portraits: Path, tmp_path: Path) -> None:
    build = Build(2, 1, gain=0).add("Sigmoid").output("person")
    network = build.add("GlobalAveragePool").output("pooled").save(tmp_path / "empty.onnx")
    said = "all 2 masks of empty.onnx are empty: it is probably fed"
    answer = run("predict", network, portraits, "--out", "out")
    assert said in answer.err
    assert "empty.onnx: its output `person` is taken, not `pooled`" in answer.err
    data = tmp_path / "data"
    (data / "masks").mkdir(parents=True)
    portraits.rename(data / "images")
    for picture in (data / "images").iterdir():
        mask = np.zeros(grey(picture).shape, np.uint8)
        cv2.circle(mask, (mask.shape[1] // 2, mask.shape[0] // 2), 100, 255, -1)
        cv2.imwrite(str(data / "masks" / picture.name), mask)
    answer = run("evaluate", network, "--data", data)
    assert answer.code == 0, answer.err
    assert said in answer.err
