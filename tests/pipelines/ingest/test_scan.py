"""What a scan offers, in which order, and what it counts as left out."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from pipelines.ingest.scan import FoundFile, ScanSummary, scan
from pipelines.workspace.errors import ScanError
from pipelines.workspace.uris import file_uri, member_uri, read_bytes, uri_path


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def write_tar(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            tar.addfile(entry, io.BytesIO(b"x"))
    return path


def names(root: Path, *paths: Path, summary: ScanSummary | None = None) -> list[str]:
    found = scan(list(paths) or [root], summary)
    return [os.path.relpath(uri_path(file.uri), root) for file in found]


def test_a_folder_is_walked_in_the_order_of_bytes(tmp_path: Path) -> None:
    fill(tmp_path, "b.jpg", "a/2.png", "a/1", "B.jpg", "ü.jpg", "a.jpg")
    assert names(tmp_path) == ["B.jpg", "a/1", "a/2.png", "a.jpg", "b.jpg", "ü.jpg"]


def test_found_files_carry_size_and_time(tmp_path: Path) -> None:
    path = fill(tmp_path, "a.jpg") / "a.jpg"
    expected = FoundFile(path.as_uri(), 1, path.stat().st_mtime_ns)
    assert list(scan([tmp_path])) == list(scan([path])) == [expected]


def test_hidden_files_and_sidecars_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "a.json", "b.JSON", "c.txt", ".hid.jpg", ".git/x.jpg", "Thumbs.db")
    summary = ScanSummary()
    assert names(tmp_path, summary=summary) == ["a.jpg"]
    assert summary.ignored == {".json": 2, ".txt": 1, "hidden": 2, ".db": 1}
    assert summary.offered == 1


def test_what_is_no_file_is_skipped_and_counted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    summary = ScanSummary()
    assert names(tmp_path, summary=summary) == []
    assert summary.not_files == {"fifo": 1}


def test_link_loops_end_and_no_folder_is_walked_twice(tmp_path: Path) -> None:
    fill(tmp_path, "z/real.jpg", "z/deep/x.jpg")
    (tmp_path / "a").symlink_to("z")  # sorts first, but the real path is the name
    (tmp_path / "z/deep/up").symlink_to("../..")
    assert names(tmp_path) == ["z/deep/x.jpg", "z/real.jpg"]
    assert names(tmp_path, tmp_path / "z/deep", tmp_path / "z") == ["z/deep/x.jpg", "z/real.jpg"]


def test_a_linked_folder_outside_is_followed(tmp_path: Path) -> None:
    fill(tmp_path, "in/a.jpg", "out/b.jpg")
    (tmp_path / "in/0link").symlink_to("../out")
    assert names(tmp_path, tmp_path / "in") == ["in/a.jpg", "in/0link/b.jpg"]


def test_a_dangling_link_is_offered_to_fail_later(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    assert list(scan([tmp_path])) == [FoundFile((tmp_path / "gone.jpg").as_uri(), None, None)]


def test_unreadable_folders_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a/1.jpg", "b/2.jpg")
    listdir = os.listdir

    def refuse(path: bytes) -> list[bytes]:
        if path.endswith(b"/a"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr("pipelines.ingest.scan.os.listdir", refuse)
    summary = ScanSummary()
    assert names(tmp_path, summary=summary) == ["b/2.jpg"]
    assert summary.unreadable == [(str(tmp_path / "a"), "Permission denied")]


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\0"])
def test_lists(tmp_path: Path, separator: str) -> None:
    fill(tmp_path, "a b.jpg", "sub/c.json", "folder/1.jpg", "folder/2.txt")
    lines = ["a b.jpg", "", "sub/c.json", "#missing.jpg", str(tmp_path / "a b.jpg"), "folder"]
    listing = tmp_path / "list.lst"
    listing.write_text(separator.join(lines), newline="")
    assert names(tmp_path, listing) == [
        "a b.jpg", "sub/c.json", "#missing.jpg", "a b.jpg", "folder/1.jpg",
    ]  # fmt: skip
    assert [file.size_bytes for file in scan([listing])] == [1, 1, None, 1, 1]


def test_a_nul_separated_list_holds_names_with_newlines(tmp_path: Path) -> None:
    odd = os.fsdecode(b"new\nline\xff.jpg")
    fill(tmp_path, odd)
    (tmp_path / "l.txt").write_bytes(b"\xef\xbb\xbf" + os.fsencode(odd) + b"\0")
    (found,) = scan([tmp_path / "l.txt"])
    assert found.uri == file_uri(tmp_path / odd)
    assert read_bytes(found.uri) == b"x"


def test_an_empty_list_offers_nothing(tmp_path: Path) -> None:
    (tmp_path / "l.txt").touch()
    assert list(scan([tmp_path / "l.txt"])) == []


def test_tars_on_the_command_line_and_in_folders(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "s.tar", "./0.jpg", "0.json", "._0.jpg", "../a#.jpg", ".h/x.jpg")
    with tarfile.open(tar, "a") as archive:
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "0.jpg"
        archive.addfile(link)
    time = tar.stat().st_mtime_ns
    expected = [FoundFile(member_uri(tar, name), 1, time) for name in ("./0.jpg", "../a#.jpg")]
    for path in (tar, tmp_path):
        summary = ScanSummary()
        assert list(scan([path], summary)) == expected
        assert summary.ignored == {".json": 1, "hidden": 2}
    assert [read_bytes(file.uri) for file in expected] == [b"x", b"x"]


def damaged_tars(tmp_path: Path) -> dict[str, bytes]:
    whole = write_tar(tmp_path / "whole", "1.jpg", "2.jpg", "3.jpg").read_bytes()
    return {
        "no tar": b"<html>" * 200,
        "empty": b"",
        "cut off": whole[: 3 * 512 + 100],
        "damaged header": whole[:1024] + b"garbage!" + whole[1032:],
    }


@pytest.mark.parametrize("damage", ["no tar", "empty", "cut off", "damaged header"])
def test_a_damaged_tar(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "crawl"
    folder.mkdir()
    tar = folder / "s.tar"
    tar.write_bytes(damaged_tars(tmp_path)[damage])
    with pytest.raises(ScanError, match=r"s\.tar' is not a readable uncompressed tar"):
        list(scan([tar]))
    summary = ScanSummary()
    assert names(folder, summary=summary) == ["s.tar"]
    assert [path for path, _ in summary.broken_tars] == [str(tar)]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("missing", None, "does not exist"),
        ("s.tar.gz", b"x", "unpack it"),
        ("S.TGZ", b"x", "unpack it"),
        ("s.tar.bz2", b"x", "unpack it"),
        ("utf16.txt", "a.jpg".encode("utf-16"), "UTF-16"),
    ],
)
def test_bad_paths_raise_before_anything_is_yielded(
    tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    good = fill(tmp_path, "good.jpg") / "good.jpg"
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ScanError, match=message) as caught:
        scan([good, tmp_path / name])  # the call itself, not the iteration
    assert name in str(caught.value)


def test_an_explicit_file_is_always_offered(tmp_path: Path) -> None:
    fill(tmp_path, ".hidden.json")
    assert names(tmp_path, tmp_path / ".hidden.json") == [".hidden.json"]
