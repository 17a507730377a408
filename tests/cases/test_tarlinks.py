"""Tars with links: a hard link is a photo, a symbolic one is counted; so are doubled names."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

Ingest = Callable[..., dict[str, Any]]


def test_hard_links_are_photos_and_symbolic_ones_are_counted(cases: Path, ingest: Ingest) -> None:
    run = ingest(cases / "tarlinks")
    assert run["run"]["offered"] == 2
    assert run["run"]["not_files"] == {"symbolic link": 2}
    images = run["status"]["photos"]
    assert (images["seen"], images["unique"], images["duplicates"]) == (2, 1, 1)
    assert run["status"]["failures"] == {}


def test_every_kind_of_member_is_accounted_for(ingest: Ingest, tmp_path: Path) -> None:
    colours = [io.BytesIO() for _ in range(3)]
    for number, buffer in enumerate(colours):
        Image.new("RGB", (30, 40), (number * 90, 20, 30)).save(buffer, "PNG")
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        for name, buffer in zip(("a.png", "b", "a.png"), colours, strict=True):
            entry = tarfile.TarInfo(name)
            entry.size = len(buffer.getvalue())
            tar.addfile(entry, io.BytesIO(buffer.getvalue()))
        for kind, name, target in (
            (tarfile.LNKTYPE, "gone.png", "nowhere.png"),
            (tarfile.SYMTYPE, "link.png", "b"),
            (tarfile.FIFOTYPE, "pipe.png", ""),
            (tarfile.CHRTYPE, "device.png", ""),
            (tarfile.DIRTYPE, "folder", ""),
            (tarfile.REGTYPE, "@eaDir/b.png", ""),
            (tarfile.REGTYPE, "b.json", ""),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tar.addfile(entry)
    run = ingest(tmp_path / "odd.tar")["run"]
    assert run["offered"] == 2
    assert run["not_files"] == {
        "doubled name": 1, "broken link": 1, "symbolic link": 1, "fifo": 1, "device": 1,
    }  # fmt: skip
    assert run["ignored"] == {"@eaDir": 1, ".json": 1}


def test_a_link_to_a_photo_that_comes_twice_has_the_first_ones_bytes(
    cases: Path, ingest: Ingest, tmp_path: Path
) -> None:
    """As on unpacking: the link was made before the second photo took the name."""
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        tar.add(cases / "messy/IMG_0000.jpg", "a.jpg")
        link = tarfile.TarInfo("b.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "a.jpg"
        tar.addfile(link)
        tar.add(cases / "messy/IMG_0001.jpg", "a.jpg")
    images = ingest(tmp_path / "t.tar")["status"]["photos"]
    assert (images["seen"], images["unique"]) == (2, 2)
    shutil.rmtree(tmp_path / "ws")
