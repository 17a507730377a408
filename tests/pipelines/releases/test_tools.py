"""Releases in the field's tools: `datasets`, Croissant, Ultralytics, Datumaro (CVAT), FiftyOne."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from db import Split, Trust
from pipelines.certify.certificates import Certificate
from pipelines.origins.origin import Origin
from pipelines.pictures.stored_masks import read_grey
from pipelines.releases.entry import Entry
from pipelines.releases.formats import Format, describe, write
from pipelines.releases.formats.columns import COLUMNS, Kind, plain_row
from pipelines.releases.formats.yolo import label
from pipelines.workspace.folder_store import FolderStore
from tests.foreign import read_by

CERTIFICATE = Certificate(3, 0.05, 0.95, 0.043, 0.9, 400, 120, 1, 0.2, 7, "2026-03-01")
ORIGIN = Origin(url="https://e.org/a.jpg", licence="CC-BY-4.0", opt_outs=("noai",), consent=True)
UNLIKE: dict[str, Callable[[Entry], Entry]] = {
    "certificate": lambda each: replace(each, trust=Trust.CERTIFIED, certificate=CERTIFICATE),
    "origin": lambda each: replace(each, origin=ORIGIN),
    "an origin of other fields": lambda each: replace(each, origin=Origin(author="me")),
    "reasons": lambda each: replace(each, reasons=("blurry", "holes")),
    "scores": lambda each: replace(each, scores={"agreement": 0.5, "opinion_1": 1}),
    "negative": lambda each: replace(each, negative=True, portrait_id=None, mask_id=None),
    "height of a face": lambda each: replace(each, face_height=64),
}
"""What only some portraits have: a release starts with many that are unlike them."""


def plain(entry: Entry, number: int) -> Entry:
    """With as little as a portrait may have, and a name that comes early."""
    return replace(
        entry,
        name=f"{number:016x}-0",
        split=Split.TRAIN,
        trust=Trust.IMPORTED,
        portrait_id=number + 1,
        mask_id=number + 1,
        reasons=(),
        scores={},
        decided_at=None,
    )


@pytest.fixture(scope="session")
def unlike(entries: Sequence[Entry]) -> list[Entry]:
    """Six plain portraits, then one of each kind, and the plain ones once more."""
    small = min(entries, key=lambda each: each.width)
    kinds = [change(plain(small, 6 + number)) for number, change in enumerate(UNLIKE.values())]
    first = [plain(small, number) for number in range(6)]
    last = [replace(plain(small, 90), split=Split.VAL)]
    return first + kinds + last


@pytest.fixture(scope="session")
def hub(
    tmp_path_factory: pytest.TempPathFactory, unlike: Sequence[Entry], store: FolderStore
) -> Path:
    """A release in the format `hf`."""
    return written(Format.HF, tmp_path_factory.mktemp("hub") / "release", unlike, store)


def written(form: Format, folder: Path, entries: Sequence[Entry], store: FolderStore) -> Path:
    folder.mkdir()
    write(form, folder, entries, store)
    (folder / "card.md").write_text("# Portraits with masks\n\nFacts.\n")
    (folder / "manifest.jsonl").write_text("{}\n")
    describe(form, folder, entries, None)
    return folder


@dataclass(frozen=True)
class Loaded:
    """Rows by split, as `datasets` reads them."""

    hub: dict[str, list[dict[str, Any]]]
    shards: dict[str, list[dict[str, Any]]]
    shards_by_name: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def loaded(
    tmp_path_factory: pytest.TempPathFactory,
    hub: Path,
    unlike: Sequence[Entry],
    store: FolderStore,
) -> Loaded:
    """In a process of its own: `datasets` reads its environment when it is imported."""
    root = tmp_path_factory.mktemp("datasets")
    shards = written(Format.WEBDATASET, root / "shards", unlike, store)
    code = """if True:
        import pickle, sys
        from datasets import Image, load_dataset
        hub, shards, out = sys.argv[1:]
        files = {"train": f"{shards}/train-*", "val": f"{shards}/val-*"}
        found = [
            load_dataset(hub),
            load_dataset(shards),
            load_dataset("webdataset", data_files=files),
        ]
        assert isinstance(found[0]["train"].features["image"], Image)
        rows = [{split: list(rows) for split, rows in each.items()} for each in found]
        pickle.dump(rows, open(out, "wb"))
    """
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(root / "hf")}
    subprocess.run(
        [sys.executable, "-c", code, str(hub), str(shards), str(root / "rows")],
        check=True,
        capture_output=True,
        env={**os.environ, **offline},
    )
    return Loaded(*pickle.loads((root / "rows").read_bytes()))


def test_a_folder_for_the_hub_is_loaded_by_its_name_alone(
    loaded: Loaded, unlike: Sequence[Entry], store: FolderStore
) -> None:
    found = loaded.hub
    assert set(found) == {"train", "validation"}
    assert [row["id"] for row in found["train"]] == [each.name for each in unlike[:-1]]
    for entry, row in zip(unlike, found["train"] + found["validation"], strict=True):
        mask = np.asarray(row["mask"].convert("L"))
        assert np.array_equal(mask, read_grey(store, entry.mask_blob))
        wanted = entry.manifest()
        for name, (kind, _) in COLUMNS.items():
            value = row[name]
            if kind is Kind.JSON and value is not None:
                value = json.loads(value)
            assert value == wanted[name], name


def test_types_guessed_from_the_first_samples_hold_for_all(
    loaded: Loaded, unlike: Sequence[Entry]
) -> None:
    assert set(loaded.shards) == {"train", "validation"}
    assert set(loaded.shards_by_name) == {"train", "val"}
    for found in (loaded.shards, loaded.shards_by_name):
        assert [row["json"] for row in found["train"]] == [plain_row(each) for each in unlike[:-1]]
        certified = found["train"][6]["json"]
        assert json.loads(certified["certificate"])["bound"] == 0.043
        assert json.loads(certified["origin"]) is None


def types(value: Any) -> Any:
    """Of a value, and of what is in it."""
    if isinstance(value, dict):
        return {name: types(each) for name, each in value.items()}
    return (
        [type(value), *{type(each) for each in value}] if isinstance(value, list) else type(value)
    )


def test_every_field_of_a_plain_row_has_one_type(unlike: Sequence[Entry]) -> None:
    first = types(plain_row(unlike[0]))
    assert all(types(plain_row(each)) == first for each in unlike)
    assert set(first) == {*COLUMNS, "image", "mask"}
    assert not any(kind is type(None) or kind is dict for kind in first.values())


def test_croissant(hub: Path, unlike: Sequence[Entry]) -> None:
    code = """if True:
        import json, sys
        import mlcroissant
        dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
        metadata = dataset.metadata
        issues = metadata.ctx.issues
        records = [
            {
                "id": record["portraits/id"].decode(),
                "image": record["portraits/image"].size,
                "mask": record["portraits/mask"].size,
                "width": int(record["portraits/width"]),
                "negative": bool(record["portraits/negative"]),
            }
            for record in dataset.records("portraits")
        ]
        print(json.dumps({
            "errors": sorted(issues.errors),
            "warnings": sorted(issues.warnings),
            "licence": metadata.license,
            "biases": metadata.data_biases,
            "platform": metadata.data_annotation_platform,
            "analysis": metadata.data_annotation_analysis,
            "records": records,
        }))
    """
    shown = subprocess.run(
        [sys.executable, "-c", code, str(hub / "croissant.json")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = json.loads(shown.stdout.splitlines()[-1])
    assert found["errors"] == []
    # What nobody has told is not made up: how to cite it, its date, its version.
    assert all("citation" in each or "citeAs" in each or "date" in each or "version" in each
               for each in found["warnings"]), found["warnings"]  # fmt: skip
    assert found["licence"][0] == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert len(found["biases"]) == 3
    assert "at most 4.30% are bad, with 95% confidence" in found["analysis"][0]
    by_id = {record["id"]: record for record in found["records"]}
    assert set(by_id) == {each.name for each in unlike}
    for entry in unlike:
        record = by_id[entry.name]
        assert record["image"] == record["mask"] == [entry.width, entry.height]
        assert record["negative"] is entry.negative


def same_mask(entry: Entry, rings: Sequence[Sequence[float]], store: FolderStore) -> bool:
    """Whether polygons, drawn as Ultralytics draws them, are the mask but for a few pixels."""
    drawn = np.zeros((entry.height, entry.width), np.uint8)
    for ring in rings:
        corners = np.asarray(ring, np.float64).reshape(-1, 2) * (entry.width, entry.height)
        cv2.fillPoly(drawn, [corners.astype(np.int32)], 255)
    mask = read_grey(store, entry.mask_blob)
    both, either = (drawn & mask) > 0, (drawn | mask) > 0
    return not either.any() or both.sum() / either.sum() > 0.99


def test_yolo(entries: Sequence[Entry], store: FolderStore, tmp_path: Path) -> None:
    """`test_yolo_is_read_by_ultralytics` asks Ultralytics itself."""
    folder = written(Format.YOLO, tmp_path / "release", entries, store)
    assert (folder / "data.yaml").read_text() == (
        "train: images/train\ntest: images/test\nnames:\n  0: portrait\n"
    )
    for entry in entries:
        picture = folder / f"images/{entry.split}/{entry.name}.jpg"
        assert picture.read_bytes() == store.get(entry.image_blob)
        lines = (folder / f"labels/{entry.split}/{entry.name}.txt").read_text().splitlines()
        assert len(lines) <= 1
        rings = [[float(value) for value in line.split()[1:]] for line in lines]
        assert all(0 < value < 1 for ring in rings for value in ring)
        assert same_mask(entry, rings, store)


@pytest.mark.campaign
def test_yolo_is_read_by_ultralytics(
    entries: Sequence[Entry], store: FolderStore, tmp_path: Path
) -> None:
    chosen = [replace(entries[0], split=Split.VAL), *entries[1:6]]
    folder = written(Format.YOLO, tmp_path / "release", chosen, store)
    code = """if True:
        import json, sys
        from pathlib import Path
        from ultralytics.data.dataset import YOLODataset
        from ultralytics.data.utils import check_det_dataset
        data = check_det_dataset(sys.argv[1] + "/data.yaml", autodownload=False)
        found = {}
        for split in ("train", "val", "test"):
            for label in YOLODataset(img_path=data[split], data=data, task="segment").labels:
                assert all(cls == 0 for cls in label["cls"].ravel())
                rings = [ring.tolist() for ring in label["segments"]]
                found[Path(label["im_file"]).stem] = [split, label["shape"], rings]
        print("FOUND " + json.dumps([data["names"], found]))
    """
    shown = read_by(
        "ultralytics-opencv-headless", code, folder, YOLO_CONFIG_DIR=str(tmp_path), YOLO_OFFLINE="1"
    )
    line = next(each for each in shown.splitlines() if each.startswith("FOUND "))
    names, found = json.loads(line.removeprefix("FOUND "))
    assert names == {"0": "portrait"}
    assert set(found) == {each.name for each in chosen}
    for entry in chosen:
        split, (height, width), rings = found[entry.name]
        assert (split, width, height) == (entry.split, entry.width, entry.height)
        assert same_mask(entry, rings, store)


def test_a_polygon_goes_through_holes_and_parts() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[5:50, 5:40] = 1
    mask[20:30, 15:30] = 0
    mask[10:20, 55:70] = 1
    (line,) = label(mask).splitlines()
    number, *values = line.split()
    assert number == "0"
    corners = np.asarray(values, float).reshape(-1, 2) * (80, 60)
    drawn = cv2.fillPoly(np.zeros_like(mask), [corners.astype(np.int32)], 1)
    # Cuts, and the edge of a hole, are a pixel wide when they are drawn.
    assert (drawn != mask).sum() <= 2 * (10 + 15) + 20
    assert drawn[25, 22] == 0
    assert drawn[15, 60] == 1
    assert label(np.zeros((5, 5), np.uint8)) == ""


def test_coco_is_read_by_datumaro_as_cvat_does(
    entries: Sequence[Entry], store: FolderStore, tmp_path: Path
) -> None:
    folder = written(Format.COCO, tmp_path / "release", entries[:5], store)
    code = """if True:
        import io, json, sys
        import numpy as np
        from datumaro import Dataset
        found = {}
        for split in ("train", "test"):
            path = sys.argv[1] + f"/annotations/{split}.json"
            for item in Dataset.import_from(path, "coco_instances"):
                # It adds the box of every mask.
                (mask,) = (each for each in item.annotations if each.type.name == "mask")
                found[item.id] = np.packbits(np.asarray(mask.image, bool)).tobytes().hex()
        print(json.dumps(found))
    """
    found = json.loads(read_by("datumaro", code, folder).splitlines()[-1])
    assert set(found) == {each.name for each in entries[:5]}
    for entry in entries[:5]:
        mask = read_grey(store, entry.mask_blob) > 0
        assert found[entry.name] == np.packbits(mask).tobytes().hex()


def test_coco_has_what_fiftyones_documentation_asks_for(
    entries: Sequence[Entry], store: FolderStore, tmp_path: Path
) -> None:
    """`test_coco_is_read_by_fiftyone` asks FiftyOne itself."""
    folder = written(Format.COCO, tmp_path / "release", entries[:5], store)
    document = json.loads((folder / "annotations/train.json").read_text())
    assert {"info", "licenses", "categories", "images", "annotations"} <= set(document)
    for image in document["images"]:
        assert (folder / "images" / image["file_name"]).is_file()
    for each in document["annotations"]:
        assert set(each["segmentation"]) == {"size", "counts"}
        assert {"id", "image_id", "category_id", "bbox", "area", "iscrowd"} <= set(each)


@pytest.mark.campaign
def test_coco_is_read_by_fiftyone(
    entries: Sequence[Entry], store: FolderStore, tmp_path: Path
) -> None:
    folder = written(Format.COCO, tmp_path / "release", entries[:5], store)
    code = """if True:
        import json, sys
        from fiftyone.utils.coco import COCODetectionDatasetImporter
        folder, found = sys.argv[1], {}
        importer = COCODetectionDatasetImporter(
            data_path=folder + "/images",
            labels_path=folder + "/annotations/train.json",
            label_types="segmentations",
        )
        with importer:
            for path, metadata, label in importer:
                (drawn,) = label.detections if label else (None,)
                found[path] = drawn and [drawn.label, *drawn.mask.shape, int(drawn.mask.sum())]
        print("FOUND " + json.dumps(found))
    """
    # Without a database, which only its app needs.
    dead = "mongodb://127.0.0.1:1"
    shown = read_by("fiftyone,pycocotools", code, folder, FIFTYONE_DATABASE_URI=dead)
    line = next(each for each in shown.splitlines() if each.startswith("FOUND "))
    found = {Path(path).stem: value for path, value in json.loads(line[6:]).items()}
    train = [each for each in entries[:5] if each.split is Split.TRAIN]
    assert set(found) == {each.name for each in train}
    for entry in train:
        mask = read_grey(store, entry.mask_blob)
        if mask.any():
            name, _, _, area = found[entry.name]
            assert (name, area) == ("portrait", (mask > 0).sum())


def test_the_head_of_the_readme(hub: Path) -> None:
    import yaml

    text = (hub / "README.md").read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == "other"
    assert head["license_link"] == "README.md"
    assert head["size_categories"] == ["n<1K"]
    assert head["dataset_info"]["splits"] == [
        {"name": "train", "num_examples": 6 + len(UNLIKE)},
        {"name": "validation", "num_examples": 1},
    ]
    assert text.count("# Portraits with masks") == 1
    assert all(f"| `{name}` |" in text for name in COLUMNS)
