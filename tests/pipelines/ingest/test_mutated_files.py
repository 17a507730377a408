"""Mutated files of every kind, by the command line: no crash, each accounted for, in bounds."""

import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.workspace.settings_sources import settings_template
from tests.conftest import FAKES
from tests.mutations import mutated
from tests.pipelines.ingest.conftest import picture
from tests.pipelines.ingest.runs import Ended, Run
from tests.pipelines.networks.test_teachers import save_network
from tests.snapshots import broken_blobs, leftovers, snapshot

PHOTOS = [42, pytest.param(500, marks=[pytest.mark.campaign, pytest.mark.timeout(3600)])]
OTHERS = [8, pytest.param(100, marks=[pytest.mark.campaign, pytest.mark.timeout(3600)])]
MOST_BYTES = 1_500_000_000
NEVER = {"unexpected_error", "worker_crashed", "timed_out", "gave_up"}


def encoded(pixels: np.ndarray[Any, Any] | Image.Image, form: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def photos() -> dict[str, bytes]:
    """A photo in every kind of file that is read."""
    seen = Image.fromarray(picture(1))
    exif = Image.Exif()
    exif[0x0112], exif[0x8298] = 6, "Ann"
    animation = {"save_all": True, "append_images": [seen.rotate(90)]}
    deep = (np.asarray(seen.convert("L"), np.uint16) * 257).astype(np.uint16)
    return {
        "plain.jpg": encoded(seen, "JPEG", exif=exif, comment=b"by Ann"),
        "progressive.jpg": encoded(seen, "JPEG", progressive=True, subsampling=0),
        "cmyk.jpg": encoded(seen.convert("CMYK"), "JPEG"),
        "grey.jpg": encoded(seen.convert("L"), "JPEG"),
        "plain.png": encoded(seen, "PNG", exif=exif),
        "palette.png": encoded(seen.convert("P"), "PNG", transparency=0),
        "deep.png": encoded(deep, "PNG"),
        "alpha.png": encoded(seen.convert("RGBA"), "PNG"),
        "animated.gif": encoded(seen, "GIF", **animation),
        "plain.bmp": encoded(seen, "BMP"),
        "lzw.tif": encoded(seen, "TIFF", compression="tiff_lzw"),
        "deflated.tif": encoded(seen, "TIFF", compression="tiff_adobe_deflate"),
        "lossy.webp": encoded(seen, "WEBP", exif=exif),
        "lossless.webp": encoded(seen, "WEBP", lossless=True),
        "plain.avif": encoded(seen, "AVIF"),
        "plain.jp2": encoded(seen, "JPEG2000"),
        "plain.ppm": encoded(seen, "PPM"),
        "plain.tga": encoded(seen, "TGA"),
        "pages.mpo": encoded(seen, "MPO", **animation),
        "plain.ico": encoded(seen, "ICO"),
    }


def spoil(good: dict[str, bytes], folder: Path, number: int, seed: int) -> None:
    """So many mutated files, of each kind alike."""
    folder.mkdir()
    chance = random.Random(seed)
    names = sorted(good)
    for index in range(number):
        name = names[index % len(names)]
        data = mutated(good[name], good[chance.choice(names)], chance)
        (folder / f"{index:04} {name}").write_bytes(data)


def ingest(workspace: Path, *arguments: str | Path, seconds: float) -> Ended:
    """A run whose time and memory are watched."""
    run = Run(workspace, *arguments, environment=FAKES)
    process, peak, began = psutil.Process(run.process.pid), 0, time.monotonic()

    def watch() -> None:
        nonlocal peak
        with suppress(psutil.Error):
            members = [process, *process.children(recursive=True)]
            peak = max(peak, *(each.memory_info().rss for each in members))
        time.sleep(0.02)

    run.wait_until(watch, timeout=seconds)
    ended = run.end()
    print(f"{time.monotonic() - began:.0f} s, {peak / 1e6:.0f} MB at most a process")
    assert peak < MOST_BYTES
    return ended


@pytest.mark.parametrize("number", PHOTOS)
def test_photos(tmp_path: Path, number: int) -> None:
    spoil(photos(), tmp_path / "crawl", number, seed=number)
    ended = ingest(tmp_path / "ws", tmp_path / "crawl", "--workers", "2", seconds=60 + number)
    assert ended.code == 0, ended.err
    status = ended.summary["status"]
    failures: Counter[str] = Counter(status["failures"])
    print(f"{status['photos']}, {dict(failures)}")
    assert not NEVER & failures.keys(), ended.err
    seen = status["photos"]
    assert seen["seen"] == number
    assert seen["with_portraits"] + seen["no_face"] + seen["failed"] == seen["unique"]
    assert seen["failed"] == failures.total() > 0 < seen["with_portraits"]
    rows = snapshot(tmp_path / "ws")
    ends = [row for key, row in rows.items() if key[0] == "job" and row["state"] == "failed"]
    assert all(row["reason"] and "\n" not in row["error"] for row in ends)
    assert broken_blobs(tmp_path / "ws") == leftovers(tmp_path / "ws") == []


@pytest.mark.parametrize("number", OTHERS)
def test_masks(tmp_path: Path, number: int) -> None:
    """The photos are good, their masks are not: each is taken or named, and no other one's."""
    (tmp_path / "photos").mkdir()
    height, width = picture(0).shape[:2]
    person = np.zeros((height, width), np.uint8)
    person[height // 4 :, width // 4 : -width // 4] = 255
    good = {
        "mask.png": encoded(person, "PNG"),
        "bits.png": encoded(Image.fromarray(person).convert("1"), "PNG"),
        "palette.png": encoded(Image.fromarray(person // 255).convert("P"), "PNG"),
        "mask.jpg": encoded(person, "JPEG"),
        "cutout.png": encoded(np.dstack([picture(0), person]), "PNG"),
        "mask.tif": encoded(person, "TIFF", compression="tiff_lzw"),
    }
    spoil(good, tmp_path / "masks", number, seed=number)
    for path in sorted((tmp_path / "masks").iterdir()):
        index = int(path.name[:4])
        path.rename(path.with_name(f"{index:04}{path.suffix}"))
        Image.fromarray(picture(index)).save(tmp_path / f"photos/{index:04}.bmp")
    line = (tmp_path / "photos", "--masks", tmp_path / "masks", "--workers", "2")
    ended = ingest(tmp_path / "ws", *line, seconds=60 + number)
    assert ended.code == 0, ended.err
    failures = ended.summary["status"]["failures"]
    print(dict(failures))
    assert not NEVER & failures.keys(), ended.err
    assert ended.summary["status"]["portraits"] == number
    assert broken_blobs(tmp_path / "ws") == leftovers(tmp_path / "ws") == []


def origins() -> dict[str, bytes]:
    """A table of origins in every form."""
    rows = [
        {"file": f"{number}.png", "licence": "CC-BY-4.0", "author": "Ann", "url": "https://x.org/1"}
        for number in range(20)
    ]
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    return {
        "origins.csv": "\n".join(lines).encode(),
        "origins.tsv": "\n".join(lines).replace(",", "\t").encode(),
        "origins.jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "origins.parquet": parquet.getvalue(),
    }


def lists(crawl: Path) -> dict[str, bytes]:
    # Relative to the list: the half of an absolute path might be half of this machine's disk.
    names = sorted(each.name for each in crawl.iterdir())
    return {"list.txt": "\n".join(f"../{crawl.name}/{name}" for name in names).encode()}


def networks(folder: Path) -> dict[str, bytes]:
    weights = np.random.default_rng(0).normal(size=(2, 3))
    metadata = {"person_class": "1"}
    path = save_network(folder / "good.onnx", weights, nodes=["Softmax"], metadata=metadata)
    return {"network.onnx": path.read_bytes()}


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    (tmp_path / "crawl").mkdir()
    for number in range(2):
        Image.fromarray(picture(number)).save(tmp_path / f"crawl/{number}.png")
    return tmp_path / "crawl"


@pytest.mark.parametrize("number", OTHERS)
@pytest.mark.parametrize("kind", ["origins", "lists", "settings", "networks"])
def test_what_the_command_line_names(
    tmp_path: Path, crawl: Path, kind: str, number: int, line: Callable[..., Ended]
) -> None:
    """Tables, lists, settings and networks: taken, or refused in one line; never a traceback."""
    good = {
        "origins": origins,
        "lists": lambda: lists(crawl),
        "settings": lambda: {"dataengine.toml": settings_template().encode()},
        "networks": lambda: networks(tmp_path),
    }[kind]()
    spoil(good, tmp_path / "bad", number, seed=number)
    codes: Counter[int] = Counter()
    for path in sorted((tmp_path / "bad").iterdir()):
        workspace = tmp_path / f"ws {path.name}"
        match kind:
            case "origins":
                ended = line(workspace, crawl, "--origin", path)
            case "lists":
                ended = line(workspace, path)
            case "settings":
                workspace.mkdir()
                path.rename(workspace / "dataengine.toml")
                ended = line(workspace, crawl)
            case _:
                ended = line(workspace, crawl, "--teacher", f"onnx:{path}")
        codes[ended.code] += 1
        told = (path.name, ended.err)
        assert ended.code in (0, 1), told
        assert "Traceback" not in ended.err, told
        assert "unexpected" not in ended.err, told
        if ended.code:
            assert ended.err.splitlines()[-1].startswith("error: "), told
            assert len([each for each in ended.err.splitlines() if each.startswith("error")]) == 1
    print(kind, dict(codes))


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """`dataengine -w WORKSPACE ingest ARGUMENTS…`, in this process."""
    import sys

    from dataengine.cli import main

    for name, value in {**FAKES, "DATAENGINE_ENGINE__WORKERS": "0"}.items():
        monkeypatch.setenv(name, value)

    def call(workspace: Path, *arguments: str | Path) -> Ended:
        return _main(["dataengine", "-w", str(workspace), "ingest", *map(str, arguments)])

    def _main(arguments: Sequence[str]) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", arguments)
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            try:
                main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
        return Ended(code, out.getvalue(), err.getvalue())

    return call
