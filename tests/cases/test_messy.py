"""A photo folder as phones, operating systems and downloaders leave it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Ingest = Callable[..., dict[str, Any]]

LEFT_OUT = {
    "hidden": 3, ":Zone.Identifier": 6, ".xmp": 1, ".aae": 1, ".json": 1, ".db": 1, ".ini": 1,
    ".part": 1, ".crdownload": 1, ".aria2": 1, "backup": 1, "@eaDir": 1, "__MACOSX": 1,
    "readme": 1, ".mov": 1, ".mp4": 1, ".pt": 1, ".svg": 1, ".zip": 1, ".tar.gz": 1,
}  # fmt: skip


def test_photos_are_taken_and_the_rest_is_counted(cases: Path, ingest: Ingest) -> None:
    run = ingest(cases / "messy")
    assert run["run"]["ignored"] == LEFT_OUT
    images = run["status"]["photos"]
    photos = {f"IMG_000{number}.jpg" for number in range(6)}
    others = {
        "IMG_0001.heic", "a.jxl", "b.jxl", "c.dng", "d.cr3", "err.jpg", "err2.jpg", "gz.jpg",
    }  # fmt: skip
    assert run["run"]["offered"] == images["seen"] == len(photos | others)
    assert images["duplicates"] == 0
    assert images["with_portraits"] >= len(photos)
    assert images["failed"] == images["seen"] - images["with_portraits"] - images["no_face"]
    (note,) = run["run"]["notes"]
    assert note.startswith("2 packed archives were not opened")


LEFTOVERS = {
    ".a.jpg.icloud": "hidden", "a.jpg~": "backup", "~$a.jpg": "backup",
    "a.JPG.Zone.Identifier": ":Zone.Identifier", "Thumbs.db:encryptable": ":encryptable",
    "a.jpg.tmp": ".tmp", "a.jpg.filepart": ".filepart", "a.jpg.lnk": ".lnk",
    "a.jpg.pp3": ".pp3", "a.THM": ".thm", "LICENSE": "license", "Icon\r": "icon",
    "a.jpg.gz": ".gz", "a.tar.zst": ".tar.zst", "a_stats.json": ".json", "0.parquet": ".parquet",
}  # fmt: skip
LEFT_OUT_FOLDERS = ["$RECYCLE.BIN", "System Volume Information", ".thumbnails", "@eaDir"]
PHOTOS = [
    "a.jpg:large", "photo", "photo.php", "a.2024", "12:30.jpg", "LICENSE.jpg", "b.jpg.backup",
    "n" * 251 + ".jpg", "m" * 255,
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for number, name in enumerate(PHOTOS):
        Image.new("RGB", (30, 40), (number * 20, 90, 30)).save(folder / name, "PNG")
    for name in LEFTOVERS:
        (folder / name).write_bytes((folder / "photo").read_bytes())
    for name in LEFT_OUT_FOLDERS:
        (folder / name).mkdir()
        (folder / name / "a.jpg").write_bytes((folder / "photo").read_bytes())
    return folder


def test_other_leftovers_and_odd_names(folder: Path, ingest: Ingest) -> None:
    run = ingest(folder)
    images = run["status"]["photos"]
    assert (images["seen"], images["unique"], images["failed"]) == (len(PHOTOS), len(PHOTOS), 0)
    left_out = run["run"]["ignored"]
    assert sum(left_out.values()) == len(LEFTOVERS) + len(LEFT_OUT_FOLDERS)
    assert left_out["hidden"] == 2
    assert set(LEFTOVERS.values()) <= set(left_out)


def test_predict_sees_the_files_that_ingest_sees(
    folder: Path, dataengine: Callable[..., str], tmp_path: Path
) -> None:
    dataengine("predict", "sinet:bundled", folder, "--out", tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == len(PHOTOS)


def test_lines_of_a_list_that_are_no_plain_paths(
    cases: Path, ingest: Ingest, tmp_path: Path
) -> None:
    photos = sorted((cases / "messy").glob("IMG_000?.jpg"))
    lines = [
        "# photos of a day",
        f'"{photos[0]}"',
        f"'{photos[1]}'",
        f"  {photos[2]}  ",
        photos[3].as_uri(),
        "https://example.org/a.jpg",
        "s3://bucket/b.jpg",
        "",
        "gone.jpg",
    ]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    run = ingest(tmp_path / "list.txt")
    assert run["run"]["offered"] == 5
    assert run["run"]["ignored"] == {"comment": 1, "URL": 2}
    assert run["status"]["failures"] == {"missing": 1}
    assert run["status"]["photos"]["with_portraits"] == 4
    (note,) = run["run"]["notes"]
    assert "2 lines are addresses, first https://example.org/a.jpg" in note
