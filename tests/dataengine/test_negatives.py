"""Photos that nobody is in: confirmed by a person, released with an empty mask, scored."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.portraits.standing import MinSource
from pipelines.releases.exporting import freeze_round
from pipelines.releases.selection import require_entries
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAST_INGEST
from tests.dataengine.conftest import Run
from tests.dataengine.training_data import make_photos

SIZE = (1300, 900)  # longer than a negative is kept


@pytest.fixture
def photos(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two portraits with masks by hand, and two photos in which the fake sees no face."""
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    make_photos(photos, masks)
    Image.new("RGB", SIZE).save(photos / "cat.png")
    Image.new("RGB", (200, 300)).save(photos / "cup.png")
    assert run("ingest", photos, "--masks", masks).code == 0
    return photos


def released(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    return {line["photo_sha256"]: line for line in map(json.loads, lines)}


def negatives(folder: Path) -> list[dict[str, Any]]:
    return [line for line in released(folder).values() if line["negative"]]


def test_only_what_somebody_confirmed_is_released(run: Run, photos: Path, tmp_path: Path) -> None:
    assert run("export", "--out", tmp_path / "none", "--negatives").code == 0
    assert negatives(tmp_path / "none") == []
    arguments = [photos / "cat.png", photos / "0.png", tmp_path / "other.png", "--by", "ann"]
    Image.new("RGB", (9, 9)).save(tmp_path / "other.png")
    answer = run("confirm", *arguments, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["new"], found["known"]) == (1, 0)
    assert [Path(each["path"]).name for each in found["not_confirmed"]] == ["0.png", "other.png"]
    assert "1 before" in run("confirm", photos / "cat.png", "--by", "bob").out
    assert run("export", "--out", tmp_path / "without").code == 0
    assert negatives(tmp_path / "without") == []
    assert run("export", "--out", tmp_path / "with", "--negatives").code == 0
    (negative,) = negatives(tmp_path / "with")
    assert max(negative["width"], negative["height"]) == 1024
    assert negative["crop_box"] == [0, 0, *SIZE]
    mask = np.asarray(Image.open(tmp_path / "with" / negative["mask"]))
    assert mask.shape == (negative["height"], negative["width"])
    assert not mask.any()
    listed = (tmp_path / f"with/{negative['split']}.txt").read_text().split()
    assert negative["id"] in listed
    card = (tmp_path / "with/card.md").read_text()
    assert "1 of them are negatives" in card
    assert "ann" not in card.split()
    assert run("gc").code == 0
    assert run("verify").code == 0


@pytest.mark.parametrize("form", ["coco", "webdataset", "parquet"])
def test_every_format_holds_them(run: Run, photos: Path, tmp_path: Path, form: str) -> None:
    assert run("confirm", photos / "cat.png", photos / "cup.png", "--by", "a").code == 0
    assert run("export", "--out", tmp_path / "out", "--negatives", "--format", form).code == 0
    assert len(negatives(tmp_path / "out")) >= 1
    if form == "coco":
        for file in (tmp_path / "out/annotations").iterdir():
            coco = json.loads(file.read_text())
            people = {each["image_id"] for each in coco["annotations"]}
            for image in coco["images"]:
                assert (image["id"] in people) != ("negative" in image["file_name"])


def test_explain_and_forget_know_them(run: Run, photos: Path, tmp_path: Path) -> None:
    assert run("confirm", photos / "cat.png", "--by", "ann").code == 0
    assert run("export", "--out", tmp_path / "out", "--negatives").code == 0
    (negative,) = negatives(tmp_path / "out")
    shown = run("explain", tmp_path / "out" / negative["image"])
    assert str(photos / "cat.png") in shown.out.replace("\n", "")
    assert run("forget", photos / "cat.png", "--yes").code == 0
    assert run("export", "--out", tmp_path / "later", "--negatives").code == 0
    assert negatives(tmp_path / "later") == []
    gone = run("explain", tmp_path / "out" / negative["image"])
    assert "forgotten" in gone.out
    assert run("verify").code == 0


def test_the_policy_holds_for_them(run: Run, photos: Path, tmp_path: Path) -> None:
    (photos.parent / "t.csv").write_text("file,url,noai\ncat.png,https://x.org/cat,1\n")
    assert run("ingest", photos, "--origin", photos.parent / "t.csv").code == 0
    assert run("confirm", photos / "cat.png", "--by", "ann").code == 0
    assert run("export", "--out", tmp_path / "out", "--negatives").code == 0
    assert negatives(tmp_path / "out") == []


def test_evaluate_says_how_often_somebody_is_seen_where_nobody_is(run: Run, tmp_path: Path) -> None:
    """The model card's cat and cup: the bundled network sees a person in them."""
    from skimage.data import astronaut, chelsea, coffee

    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    mask = np.zeros((512, 512), np.uint8)
    mask[60:, 100:400] = 255
    pictures = {"astronaut": astronaut(), "cat": chelsea(), "cup": coffee()}
    for name, picture in pictures.items():
        Image.fromarray(picture).save(tmp_path / f"data/images/{name}.png")
        empty = np.zeros(picture.shape[:2], np.uint8)
        drawn = mask if name == "astronaut" else empty
        Image.fromarray(drawn).save(tmp_path / f"data/masks/{name}.png")
    answer = run("evaluate", "sinet:bundled", "--data", tmp_path / "data", "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["negatives"], found["false_person_rate"]) == (2, 1.0)
    assert [found["by_image"][name]["iou"] for name in ("cat", "cup")] == [0.0, 0.0]
    shown = run("evaluate", "sinet:bundled", "--data", tmp_path / "data").out
    assert "false persons, of 2 images without one" in " ".join(shown.split())


def test_the_means_are_of_images_with_somebody(run: Run, tmp_path: Path) -> None:
    """A hundred cats that are seen as cats do not make a network's masks better."""
    from skimage.data import astronaut

    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    mask = np.zeros((512, 512), np.uint8)
    mask[60:, 100:400] = 255
    Image.fromarray(astronaut()).save(tmp_path / "data/images/astronaut.png")
    Image.fromarray(mask).save(tmp_path / "data/masks/astronaut.png")
    answer = run("evaluate", "sinet:bundled", "--data", tmp_path / "data", "--json")
    alone = json.loads(answer.out)
    for number in range(3):
        Image.new("RGB", (64, 64), (40 * number,) * 3).save(tmp_path / f"data/images/{number}.png")
        Image.new("L", (64, 64)).save(tmp_path / f"data/masks/{number}.png")
    found = json.loads(run("evaluate", "sinet:bundled", "--data", tmp_path / "data", "--json").out)
    assert (found["images"], found["negatives"]) == (4, 3)
    assert found["mean"] == alone["mean"]
    assert found["iou_interval_95"] == alone["iou_interval_95"]


def test_a_round_may_learn_from_them(run: Run, photos: Path) -> None:
    assert run("confirm", photos / "cat.png", "--by", "ann").code == 0
    workspace = Workspace(Path.cwd(), Settings())
    try:
        without, _ = freeze_round(workspace, 1, MinSource.ANY, require_entries)
        with_them, _ = freeze_round(workspace, 2, MinSource.ANY, require_entries, negatives=True)
        folders = [workspace.paths.root / each.path for each in (without, with_them)]
    finally:
        workspace.close()
    assert [len(negatives(folder)) for folder in folders] == [0, 1]
    assert "train --round 2 --min-source any --negatives" in (folders[1] / "card.md").read_text()
    refused = run("train", "--data", photos, "--negatives")
    assert refused.code == 2
    assert "go with --round" in " ".join(refused.err.split())
