"""Identity and reading of files and tar members, whatever their names."""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.workspace.errors import ItemError
from pipelines.workspace.uris import file_uri, member_uri, read_bytes, split_uri, stat_uri, uri_path

ODD_NAMES = [
    b"plain.jpg",
    b"with space.jpg",
    b"quo'te\".jpg",
    b"new\nline.jpg",
    b"hash#100%.jpg",
    "Grüße-日本.jpg".encode(),
    b"latin1-\xe9\xff.jpg",
    b"query?a=b&c.jpg",
]


def write_tar(path: Path, members: dict[str, bytes], fmt: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=fmt, encoding="utf-8", errors="surrogateescape") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_file_names_round_trip(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"content of " + name)
    uri = file_uri(path)
    assert uri == path.absolute().as_uri()
    assert uri.isascii()
    assert "#" not in uri
    assert read_bytes(uri) == b"content of " + name
    assert os.fsencode(uri_path(uri)) == os.fsencode(path)
    assert json.loads(json.dumps(uri_path(uri))) == uri_path(uri)
    assert split_uri(uri) == (str(path), None)
    assert stat_uri(uri) == (path.stat().st_size, path.stat().st_mtime_ns)


@pytest.mark.parametrize("fmt", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_member_names_round_trip(tmp_path: Path, name: bytes, fmt: int) -> None:
    member = "sub/" + os.fsdecode(name)
    tar = write_tar(tmp_path / "c #1.tar", {"other": b"x", member: b"content of " + name}, fmt)
    uri = member_uri(tar, member)
    assert uri.count("#") == 1
    assert read_bytes(uri) == b"content of " + name
    assert uri_path(uri) == f"{tar}#{member}"
    assert split_uri(uri) == (str(tar), member)
    assert stat_uri(uri) == (len(b"content of " + name), tar.stat().st_mtime_ns)


def test_relative_spellings_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crawl").mkdir()
    monkeypatch.chdir(tmp_path)
    spellings = ["crawl/a.jpg", "./crawl//a.jpg", "crawl/../crawl/a.jpg", tmp_path / "crawl/a.jpg"]
    assert {file_uri(spelling) for spelling in spellings} == {(tmp_path / "crawl/a.jpg").as_uri()}


def test_names_like_paths_are_only_names(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "x.tar", {"../../etc/passwd": b"a", "/abs.jpg": b"b"})
    assert read_bytes(member_uri(tar, "../../etc/passwd")) == b"a"
    assert read_bytes(member_uri(tar, "/abs.jpg")) == b"b"


def test_of_two_members_with_one_name_the_last_counts(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "x.tar", {"a": b"old"})
    with tarfile.open(tar, "a") as archive:
        entry = tarfile.TarInfo("a")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"new"))
    assert read_bytes(member_uri(tar, "a")) == b"new"


def test_a_rewritten_tar_is_indexed_anew(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "x.tar", {"a": b"one", "b": b"two"})
    gone = member_uri(tar, "a")
    assert read_bytes(gone) == b"one"
    write_tar(tar, {"b": b"three"})
    os.utime(tar, ns=(0, 0))
    assert read_bytes(member_uri(tar, "b")) == b"three"
    with pytest.raises(ItemError, match=r"x\.tar.*no member 'a'") as caught:
        read_bytes(gone)
    assert caught.value.reason == "missing"


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "missing"),
        (lambda path: path.touch(), "empty_file"),
        (lambda path: path.mkdir(), "unreadable"),
        (make_fifo, "unreadable"),
        (lambda path: path.write_bytes(b"x" * 11), "too_large"),
        (lambda path: path.symlink_to(path), "unreadable"),
    ],
    ids=["missing", "empty", "folder", "fifo", "large", "link to itself"],
)
def test_reasons(tmp_path: Path, make, reason: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.jpg"
    make(path)
    with pytest.raises(ItemError, match=r"a\.jpg") as caught:
        read_bytes(file_uri(path), max_bytes=10)
    assert caught.value.reason == reason


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """Root may read everything: such a test has to be somebody else."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


def test_no_permission_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    with without_roots_rights(), pytest.raises(ItemError, match="Permission denied") as caught:
        read_bytes(file_uri(path))
    assert caught.value.reason == "unreadable"


def test_a_broken_tar_is_unreadable_and_named(tmp_path: Path) -> None:
    tar = tmp_path / "x.tar"
    tar.write_bytes(b"no tar" * 200)
    with pytest.raises(ItemError, match=r"x\.tar.*not a readable tar") as caught:
        read_bytes(member_uri(tar, "a"))
    assert caught.value.reason == "unreadable"


def test_other_schemes_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="file://"):
        read_bytes("https://example.org/a.jpg")
