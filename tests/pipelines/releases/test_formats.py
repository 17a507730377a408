"""Every format is read back by the library people use, and compared with the blobs."""

import io
import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from db import Split
from pipelines.pictures.stored_masks import read_grey
from pipelines.releases.entry import Entry
from pipelines.releases.formats import Format, check, describe, parquet, webdataset, write
from pipelines.releases.formats.columns import plain_row
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.store import BlobKind
from sinet.data.listing import find_samples

Pixels = npt.NDArray[np.uint8]
DOCUMENT = Path(__file__).parents[3] / "docs/formats.md"


@pytest.fixture(params=list(Format))
def form(request: pytest.FixtureRequest) -> Format:
    return Format(request.param)


def written(
    form: Format, folder: Path, entries: Sequence[Entry], store: FolderStore, workers: int = 1
) -> dict[str, bytes]:
    folder.mkdir(parents=True)
    write(form, folder, entries, store, workers)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def truth(entry: Entry, store: FolderStore) -> tuple[Pixels, Pixels]:
    """The released picture as RGB and its mask, from the store."""
    rgb = np.asarray(Image.open(io.BytesIO(store.get(entry.image_blob))))
    return rgb, read_grey(store, entry.mask_blob)


def names(entries: Sequence[Entry], split: Split) -> list[str]:
    return sorted(entry.name for entry in entries if entry.split == split)


def test_the_same_entries_give_the_same_bytes(
    form: Format, tmp_path: Path, entries: list[Entry], store: FolderStore
) -> None:
    first = written(form, tmp_path / "one", entries, store)
    # The odd name: what libraries make of a path must not matter.
    second = written(form, tmp_path / "100% a:b c" / "two", entries[::-1], store)
    assert first == second
    assert first
    assert not any(name.startswith(("val", "annotations/val")) for name in first)


def test_folder_is_what_sinet_trains_on(
    tmp_path: Path, entries: list[Entry], store: FolderStore
) -> None:
    written(Format.FOLDER, tmp_path / "out", entries, store)
    by_name = {entry.name: entry for entry in entries}
    for split in (Split.TRAIN, Split.TEST):
        samples = find_samples(tmp_path / "out", str(split))
        assert [sample.name for sample in samples] == names(entries, split)
        for sample in samples:
            entry = by_name[sample.name]
            assert sample.image.read_bytes() == store.get(entry.image_blob)
            assert sample.mask.read_bytes() == store.get(entry.mask_blob)


def test_coco_is_read_by_pycocotools(
    tmp_path: Path, entries: list[Entry], store: FolderStore, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.coco import COCO

    written(Format.COCO, tmp_path / "out", entries, store)
    by_name = {entry.name: entry for entry in entries}
    seen: list[int] = []
    for split in (Split.TRAIN, Split.TEST):
        coco = COCO(str(tmp_path / f"out/annotations/{split}.json"))
        assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["portrait"]
        found = coco.loadImgs(coco.getImgIds())
        assert [Path(image["file_name"]).stem for image in found] == names(entries, split)
        seen += coco.getImgIds()
        for image in found:
            entry = by_name[Path(image["file_name"]).stem]
            rgb, mask = truth(entry, store)
            (annotation,) = coco.loadAnns(coco.getAnnIds(imgIds=image["id"], iscrowd=False))
            assert np.array_equal(coco.annToMask(annotation) * 255, mask)
            assert annotation["area"] == (mask > 0).sum()
            assert annotation["bbox"] == _box(mask)
            assert (image["height"], image["width"]) == mask.shape == rgb.shape[:2]
            picture = tmp_path / "out/images" / image["file_name"]
            assert picture.read_bytes() == store.get(entry.image_blob)
    assert sorted(seen) == list(range(1, len(entries) + 1))
    capsys.readouterr()  # the library prints


def _box(mask: Pixels) -> list[float]:
    if not mask.any():
        return [0, 0, 0, 0]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [
        float(columns[0]),
        float(rows[0]),
        float(columns[-1] - columns[0] + 1),
        float(rows[-1] - rows[0] + 1),
    ]


def test_webdataset_is_read_by_webdataset(
    tmp_path: Path, entries: list[Entry], store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import webdataset as wds

    monkeypatch.setattr(webdataset, "MAX_SHARD_SAMPLES", 4)
    files = written(Format.WEBDATASET, tmp_path / "out", entries, store)
    assert sorted(files) == [
        "test-000000.tar", "test-000001.tar",
        "train-000000.tar", "train-000001.tar", "train-000002.tar",
    ]  # fmt: skip
    by_name = {entry.name: entry for entry in entries}
    for split in (Split.TRAIN, Split.TEST):
        shards = sorted(str(path) for path in (tmp_path / "out").glob(f"{split}-*.tar"))
        dataset = wds.WebDataset(shards, shardshuffle=False).decode("pil")
        samples = list(dataset)
        assert [sample["__key__"] for sample in samples] == names(entries, split)
        for sample in samples:
            entry = by_name[sample["__key__"]]
            rgb, mask = truth(entry, store)
            assert np.array_equal(np.asarray(sample["jpg"]), rgb)
            assert np.array_equal(np.asarray(sample["mask.png"].convert("L")), mask)
            assert sample["json"] == json.loads(json.dumps(plain_row(entry)))


def test_shards_are_bounded_in_bytes(
    tmp_path: Path, entries: list[Entry], store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset, "MAX_SHARD_BYTES", 300_000)
    monkeypatch.setattr(parquet, "MAX_SHARD_BYTES", 300_000)
    largest = max(store.size(entry.image_blob) + store.size(entry.mask_blob) for entry in entries)
    for form in (Format.WEBDATASET, Format.PARQUET):
        files = written(form, tmp_path / form, entries, store)
        assert len(files) > 4
        assert max(map(len, files.values())) < 300_000 + largest + 50_000


@pytest.mark.parametrize("form", [Format.WEBDATASET, Format.PARQUET, Format.HF])
def test_shards_are_the_same_bytes_however_many_write_them(
    tmp_path: Path,
    entries: list[Entry],
    store: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
    form: Format,
) -> None:
    monkeypatch.setattr(webdataset, "MAX_SHARD_SAMPLES", 2)
    monkeypatch.setattr(parquet, "MAX_SHARD_BYTES", 100_000)
    alone = written(form, tmp_path / "one", entries, store)
    assert len(alone) > 6
    writers = set()
    real = FolderStore.get

    def get(self: FolderStore, key: str) -> bytes:
        writers.add(threading.get_ident())
        time.sleep(0.002)
        return real(self, key)

    monkeypatch.setattr(FolderStore, "get", get)
    assert written(form, tmp_path / "three", entries, store, workers=3) == alone
    assert len(writers) == 3


def test_parquet_is_read_by_datasets(
    tmp_path: Path, entries: list[Entry], store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MAX_SHARD_BYTES", 300_000)
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 2)
    files = written(Format.PARQUET, tmp_path / "out", entries, store)
    assert all(re.fullmatch(r"(train|test)-\d{5}-of-\d{5}\.parquet", name) for name in files)
    by_name = {entry.name: entry for entry in entries}
    loaded = _load_dataset(tmp_path)
    assert set(loaded) == {"train", "test"}
    for split, rows in loaded.items():
        assert rows["id"] == names(entries, Split(split))
        for row in rows["rows"]:
            entry = by_name[row["id"]]
            rgb, mask = truth(entry, store)
            assert np.array_equal(np.asarray(row["image"]), rgb)
            assert np.array_equal(np.asarray(row["mask"].convert("L")), mask)
            expected = entry.manifest()
            for name in ("scores", "certificate"):
                found = expected[name]
                expected[name] = None if found is None else json.dumps(found, sort_keys=True)
            plain = {key: value for key, value in row.items() if key not in ("image", "mask")}
            assert plain == {key: expected[key] for key in plain}
            assert set(plain) == set(expected) - {"image", "mask"}


def _load_dataset(folder: Path) -> dict[str, Any]:
    """Read by `datasets`, which reads its environment when it is imported."""
    environment = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    code = """if True:
        import pickle, sys
        from datasets import Image, load_dataset
        folder, out = sys.argv[1:]
        files = {split: f"{folder}/{split}-*.parquet" for split in ("train", "test")}
        loaded = load_dataset("parquet", data_files=files)
        assert isinstance(loaded["train"].features["image"], Image)
        assert isinstance(loaded["train"].features["mask"], Image)
        found = {s: {"id": list(d["id"]), "rows": list(d)} for s, d in loaded.items()}
        pickle.dump(found, open(out, "wb"))
    """
    out = folder / "rows.pickle"
    subprocess.run(
        [sys.executable, "-c", code, str(folder / "out"), str(out)],
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
    )
    return dict(pickle.loads(out.read_bytes()))


@pytest.mark.parametrize("chosen", list(Format))
def test_the_examples_of_the_documentation(
    chosen: Format, tmp_path: Path, entries: list[Entry], store: FolderStore
) -> None:
    written(chosen, tmp_path / "round-3", entries, store)
    (tmp_path / "round-3/card.md").write_text("# Portraits\n")
    describe(chosen, tmp_path / "round-3", entries, None)
    section = DOCUMENT.read_text().partition(f"\n## {chosen}\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    shown = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")},
    )
    for name in names(entries, Split.TRAIN):
        assert shown.stdout.count(name) >= 1


@pytest.mark.parametrize(
    ("form", "package"),
    [
        (Format.COCO, "pycocotools.mask"),
        (Format.WEBDATASET, "webdataset.writer"),
        (Format.PARQUET, "pyarrow.parquet"),
        (Format.HF, "yaml"),
    ],
)
def test_a_missing_package_is_named(
    form: Format, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: FolderStore
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for call in (lambda: check(form), lambda: write(form, tmp_path, [], store)):
        with pytest.raises(PipelineError, match=r"pip install 'portrait-dataengine\[export\]'"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_blob_is_not_released(
    form: Format, tmp_path: Path, entries: list[Entry], store: FolderStore
) -> None:
    own = FolderStore(tmp_path / "store", "test")
    copied = [
        replace(
            entry,
            image_blob=own.put(BlobKind.PORTRAIT, store.get(entry.image_blob)),
            mask_blob=own.put(BlobKind.MASK, store.get(entry.mask_blob)),
        )
        for entry in islice(_wide(entries), 2)
    ]
    path = own.local_path(copied[1].mask_blob if form != Format.COCO else copied[1].image_blob)
    assert path is not None
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(WorkspaceError, match="damaged"):
        written(form, tmp_path / "out", copied, own)


def _wide(entries: Sequence[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if entry.width > 400)
