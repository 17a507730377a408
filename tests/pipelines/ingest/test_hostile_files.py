"""Files as nobody wants them: every one is taken in, or fails with a reason and alone."""

import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from pipelines.workspace.uris import file_uri
from tests.conftest import ODD_NAME
from tests.pipelines.ingest.conftest import Ingest, picture, save
from tests.pipelines.ingest.runs import Run
from tests.snapshots import Row, broken_blobs, leftovers, snapshot

NOBODY = 65534
NAMES = ["a b.png", 'it\'s "quoted".png', "new\nline.png", "50% #1?.png", ODD_NAME + ".png"]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def make_bomb(path: Path, side: int = 20_000) -> None:
    """A valid black-and-white PNG of side² pixels in less than a megabyte."""
    row, packer = bytes(1 + side // 8), zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = side.to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])
    chunks = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks))


def failure_of(rows: dict[Any, Row], path: Path) -> tuple[str | None, str | None]:
    """Reason and text of a file's failure, in whatever stage."""
    uri = file_uri(path)
    image = rows["source", uri]["image"]
    jobs = [rows.get(("job", "read", uri)), rows.get(("job", "detect", image))]
    failed = [job for job in jobs if job and job["state"] == "failed"]
    return (failed[0]["reason"], failed[0]["error"]) if failed else (None, None)


@contextmanager
def without_roots_rights() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_every_bad_file_fails_with_its_reason_and_takes_no_other_with_it(
    tmp_path: Path, ingest_here: Ingest
) -> None:
    crawl = tmp_path / "crawl"
    good = save(crawl / "good.png", picture(0))
    (crawl / "empty.jpg").touch()
    (crawl / "text.jpg").write_text("not an image")
    (crawl / "cut.png").write_bytes(good.read_bytes()[:9000])
    (crawl / "dangling.jpg").symlink_to("nowhere")
    (crawl / "loop.jpg").symlink_to("loop.jpg")
    (crawl / "up").symlink_to(crawl, target_is_directory=True)
    save(crawl / "one.png", picture(1, 1, 1))
    save(crawl / "nineteen.png", picture(2, 19, 19))
    run = ingest_here(tmp_path / "ws", crawl)
    rows = snapshot(tmp_path / "ws")
    reasons = {
        path.name: failure_of(rows, path)[0] for path in crawl.iterdir() if path.name != "up"
    }
    assert reasons == {
        "good.png": None,
        "empty.jpg": "empty_file",
        "text.jpg": "not_an_image",
        "cut.png": "truncated",
        "dangling.jpg": "missing",
        "loop.jpg": "unreadable",
        "one.png": None,
        "nineteen.png": None,
    }
    images = run["status"]["photos"]
    assert (images["seen"], images["with_portraits"], images["no_face"], images["failed"]) == (
        8, 1, 2, 5,
    )  # fmt: skip
    assert images["failed"] == sum(run["status"]["failures"].values())
    for name in reasons:
        _, error = failure_of(rows, crawl / name)
        assert error is None or ("\n" not in error and len(error) > 20)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """400 megapixels in a small file; unpacked to RGB they would be 1.2 GB."""
    make_bomb(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 1_000_000
    save(tmp_path / "good.png", picture(0))
    run = Run(tmp_path / "ws", tmp_path / "bomb.png", tmp_path / "good.png", "--workers", "0")
    process, peak = psutil.Process(run.process.pid), 0

    def watch() -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    run.wait_until(watch)
    ended = run.end()
    assert ended.code == 0, ended.err
    assert ended.summary["status"]["failures"] == {"too_many_pixels": 1}
    assert ended.summary["status"]["portraits"] == 1
    assert 0 < peak < 400e6


def test_names_that_break_scripts(tmp_path: Path, ingest_here: Ingest) -> None:
    crawl = tmp_path / "crawl"
    for number, name in enumerate(NAMES):
        save(crawl / name, picture(number))
    run = ingest_here(tmp_path / "ws", crawl)
    assert run["status"]["portraits"] == len(NAMES)
    rows = snapshot(tmp_path / "ws")
    assert {key[1] for key in rows if key[0] == "source"} == {
        file_uri(crawl / name) for name in NAMES
    }


def test_copies_are_one_image(tmp_path: Path, ingest_here: Ingest) -> None:
    crawl = tmp_path / "crawl"
    save(crawl / "a.png", picture(0))
    for name in ("b.png", "c.jpg", "d"):
        shutil.copy(crawl / "a.png", crawl / name)
    run = ingest_here(tmp_path / "ws", crawl)
    assert run["run"]["duplicates"] == 3
    images = run["status"]["photos"]
    assert (images["seen"], images["unique"], images["duplicates"]) == (4, 1, 3)
    assert run["status"]["portraits"] == 1
    sources = [row for key, row in snapshot(tmp_path / "ws").items() if key[0] == "source"]
    assert len({row["image"] for row in sources}) == 1


def test_a_tar_and_a_list_give_what_the_folder_gives(tmp_path: Path, ingest_here: Ingest) -> None:
    crawl = tmp_path / "crawl"
    for number in range(4):
        save(crawl / f"{number}.png", picture(number))
    with tarfile.open(tmp_path / "crawl.tar", "w") as tar:
        tar.add(crawl, "inside")
    (tmp_path / "list.txt").write_text("crawl/0.png\ncrawl/1.png\ncrawl/2.png\ncrawl/gone.png\n")
    folder = ingest_here(tmp_path / "folder", crawl)
    tar_run = ingest_here(tmp_path / "tar", tmp_path / "crawl.tar")
    list_run = ingest_here(tmp_path / "list", tmp_path / "list.txt")
    assert tar_run["status"] == folder["status"]
    assert (list_run["status"]["portraits"], list_run["status"]["failures"]) == (3, {"missing": 1})

    def portraits(name: str) -> dict[Any, Row]:
        rows = snapshot(tmp_path / name)
        return {key: row for key, row in rows.items() if key[0] in ("portrait", "mask", "image")}

    assert portraits("tar") == portraits("folder")
    assert portraits("list").items() < portraits("folder").items()


def test_an_unreadable_file(ingest_here: Ingest) -> None:
    """Root may read everything, so the run has to be somebody else's; pytest's folder is closed."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        crawl = folder / "crawl"
        save(crawl / "good.png", picture(0))
        save(crawl / "secret.png", picture(1)).chmod(0)
        (crawl / "closed").mkdir(mode=0)
        with without_roots_rights():
            run = ingest_here(folder / "ws", crawl)
        assert run["status"]["failures"] == {"unreadable": 1}
        assert run["status"]["portraits"] == 1
        reason, error = failure_of(snapshot(folder / "ws"), crawl / "secret.png")
        assert (reason, "Permission denied" in str(error)) == ("unreadable", True)


def test_a_file_that_vanishes_or_changes_between_two_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ingest_here: Ingest
) -> None:
    """Detection reads a file again, and must not take another content for the one it hashed."""
    crawl = tmp_path / "crawl"
    for number, name in enumerate(["stays.png", "vanishes.png", "changes.png", "moves.png"]):
        save(crawl / name, picture(number))
    shutil.copy(crawl / "moves.png", crawl / "and its copy.png")
    changed = {"done": False}

    def change_the_crawl() -> None:
        if not changed["done"]:
            changed["done"] = True
            (crawl / "vanishes.png").unlink()
            (crawl / "moves.png").unlink()
            save(crawl / "changes.png", picture(9))

    from pipelines.ingest.stage_table import DetectWork

    detect = DetectWork.run
    monkeypatch.setattr(
        DetectWork, "run", lambda self, items: (change_the_crawl(), detect(self, items))[1]
    )
    run = ingest_here(tmp_path / "ws", crawl)
    assert run["status"]["failures"] == {"changed": 1, "missing": 1}
    assert run["status"]["portraits"] == 2
    rows = snapshot(tmp_path / "ws")
    assert failure_of(rows, crawl / "vanishes.png")[0] == "missing"
    assert failure_of(rows, crawl / "changes.png")[0] == "changed"
    # As its message says: offered again, the new content is taken in.
    again = ingest_here(tmp_path / "ws", crawl)
    assert (again["run"]["changed"], again["run"]["portraits"]) == (1, 1)
    assert broken_blobs(tmp_path / "ws") == leftovers(tmp_path / "ws") == []
