"""Whole runs with the real detector, and with the real DeepLabv3 where the reference data is."""

from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from pipelines.workspace.uris import file_uri
from tests.pipelines.ingest.runs import Ended, ingest
from tests.snapshots import Row, Snapshot, broken_blobs, leftovers, snapshot

BROKEN = {
    "pillow__Tests__images__broken_data_stream.png": "decode_failed",
    "pillow__Tests__images__not_enough_data.jp2": "truncated",
    "pillow__Tests__images__pngtest_bad.png.bin": "not_an_image",
    "pillow__Tests__images__truncated_end_chunk.png": "truncated",
}


@pytest.fixture(scope="module")
def mixed(shared: Path) -> Path:
    return shared / "data/crawl/mixed"


@pytest.fixture(scope="module")
def workspace(mixed: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixed") / "ws"


@pytest.fixture(scope="module")
def ended(mixed: Path, shared: Path, workspace: Path) -> Ended:
    """A run over all the mixed files with MTCNN and the ONNX DeepLabv3."""
    model = shared / "weights/deeplabv3_mobilenetv2_voc.onnx"
    return ingest(workspace, mixed, "--teacher", f"onnx:{model}", environment={})


@pytest.fixture(scope="module")
def rows(ended: Ended, workspace: Path) -> Snapshot:
    assert ended.code == 0, ended.err
    return snapshot(workspace)


def test_every_mixed_file_is_accounted_for(mixed: Path, ended: Ended, rows: Snapshot) -> None:
    status = ended.summary["status"]
    images = status["photos"]
    assert images["seen"] == len(list(mixed.iterdir())) == 131
    assert images["seen"] == (
        images["with_portraits"] + images["no_face"] + images["duplicates"] + images["failed"]
    )
    assert status["failures"] == dict(Counter(BROKEN.values()))
    assert status["portraits"] == sum(status["verdicts"].values()) >= 20
    outcomes = {key[1]: row for key, row in rows.items() if key[0] == "image"}
    for key, source in rows.items():
        if key[0] != "source" or Path(str(key[1])).name in BROKEN:
            continue
        image = outcomes[source["image"]]
        if image["outcome"] == "no_face":
            assert image["reasons"], key
        else:
            assert ("portrait", source["image"], 0) in rows, key
            assert ("mask", source["image"], 0, 1) in rows, key


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_says_what_is_wrong_with_it(mixed: Path, rows: Snapshot, name: str) -> None:
    image = rows["source", file_uri(mixed / name)]["image"]
    job = rows["job", "detect", image]
    assert (job["state"], job["reason"]) == ("failed", BROKEN[name])
    assert "\n" not in job["error"]
    assert len(job["error"]) > 20


def test_the_run_says_nothing_but_its_progress(ended: Ended) -> None:
    assert ended.code == 0, ended.err
    lines = ended.err.splitlines()
    assert [line for line in lines if not line.startswith(("Made", "ingest", "131/"))] == [
        line for line in lines if "/131 images" in line and not line.startswith("131/")
    ]


def test_what_is_left_behind_is_whole(rows: Snapshot, workspace: Path) -> None:
    assert rows
    assert (broken_blobs(workspace), leftovers(workspace)) == ([], [])
    for row in masks_of(rows):
        with Image.open(workspace / "store" / row["blob"]) as mask:
            assert mask.mode == "1"
        with Image.open(workspace / "store" / row["probability_blob"]) as probability:
            assert (probability.mode, probability.size) == ("L", mask.size)


def test_the_packages_own_networks_are_asked_beside_the_teacher(rows: Snapshot) -> None:
    asked = [row["scores"] for row in masks_of(rows) if "student_disagreement" in row["scores"]]
    assert len(asked) == len(masks_of(rows)) > 0


def test_a_turned_photo_gives_an_upright_portrait(mixed: Path, rows: Snapshot) -> None:
    """The same photo stored upright and turned, with EXIF telling so."""
    names = ["hopper_orientation_3.jpg", "hopper_orientation_6.jpg", "hopper_orientation_7.jpg"]
    boxes = []
    for name in names:
        uri = file_uri(mixed / f"pillow__Tests__images__{name}")
        boxes.append(rows["image", rows["source", uri]["image"]]["faces"][0]["box"])
    assert np.ptp(boxes, axis=0).max() < 4


def masks_of(rows: Snapshot) -> list[Row]:
    return [row for key, row in rows.items() if key[0] == "mask"]


def test_public_domain_portraits(
    tmp_path: Path, astronaut: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    """For machines without the reference data: real photos and the real detector."""
    Image.fromarray(astronaut).save(tmp_path / "astronaut.png")
    hopper = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
    environment = {"DATAENGINE_TEACHER__NAME": "fake"}
    paths = [tmp_path / "astronaut.png", hopper]
    ended = ingest(tmp_path / "ws", *paths, "--workers", "0", environment=environment)
    assert ended.code == 0, ended.err
    assert ended.summary["status"]["portraits"] == 2
    rows = snapshot(tmp_path / "ws")
    boxes = []
    for path in paths:
        image = rows["source", file_uri(path)]["image"]
        portrait = rows["portrait", image, 0]
        assert portrait["detector"].startswith("mtcnn")
        assert portrait["face_confidence"] > 0.99
        boxes.append(portrait["face_box"])
    # Where a person sees the faces: eyes to chin, ear to ear.
    assert boxes[0] == pytest.approx([178, 62, 264, 178], abs=14)
    assert boxes[1] == pytest.approx([170, 100, 340, 320], abs=60)
    assert (broken_blobs(tmp_path / "ws"), leftovers(tmp_path / "ws")) == ([], [])
