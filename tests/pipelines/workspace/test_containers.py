"""Zips, Parquet files, and files that are read by ranges."""

import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.workspace.containers import (
    DamagedError,
    Parquet,
    container_of,
    index_as_bytes,
    index_from_bytes,
)
from pipelines.workspace.errors import ItemError, ScanError
from pipelines.workspace.remote import RangeFile, RemoteFile
from pipelines.workspace.settings import Settings
from pipelines.workspace.sources import Sources
from pipelines.workspace.uris import file_uri, with_member


def opened(data: bytes, name: str) -> Parquet:
    container = container_of(f"file:///x/{name}", io.BytesIO(data), len(data))
    assert isinstance(container, Parquet)
    return container


def table(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, row_group_size=3)
    return out.getvalue()


def test_a_zip_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a #1.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escape.jpg", b"one")
        archive.writestr("twice.jpg", b"old")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("twice.jpg", b"new")
    sources = Sources(Settings())
    index = sources.container(file_uri(path)).index
    assert list(index.members) == ["../../escape.jpg", "twice.jpg"]
    assert index.not_files == {"doubled name": 1}
    assert sources.read(with_member(file_uri(path), "twice.jpg")) == b"new"
    assert sources.read(with_member(file_uri(path), "../../escape.jpg")) == b"one"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_bomb_in_a_zip_is_never_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.jpg", bytes(5_000_000))
    data = out.getvalue()
    container = container_of("file:///x/a.zip", io.BytesIO(data), len(data))
    with pytest.raises(ItemError) as caught:
        container.read("big.jpg", 1_000_000)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing more", b"<html>"])
@pytest.mark.parametrize("suffix", [".zip", ".parquet", ".tar"])
def test_what_is_damaged_says_so(damage: bytes, suffix: str) -> None:
    container = container_of(f"file:///x/a{suffix}", io.BytesIO(damage), len(damage))
    with pytest.raises(DamagedError):
        _ = container.index


def test_rows_of_bytes_and_of_hugging_faces_struct() -> None:
    plain = opened(table(jpg=[b"a", b"b", b"c", b"d"], licence=["x", "y", "z", "w"]), "p.parquet")
    assert list(plain.index.members) == [f"jpg/{row}" for row in range(4)]
    # Forward, back, and over the border of a row group.
    order = [0, 1, 3, 2, 2, 0]
    assert [plain.read(f"jpg/{row}", 10) for row in order] == [b"abcd"[n : n + 1] for n in order]
    assert plain.said("jpg/3") == {"licence": "w"}
    struct = opened(
        table(image=[{"bytes": b"x", "path": "1.jpg"}, {"bytes": None, "path": "2.jpg"}]),
        "h.parquet",
    )
    assert struct.read("image/0", 10) == b"x"
    with pytest.raises(ItemError) as caught:
        struct.read("image/1", 10)
    assert caught.value.reason == "empty_file"
    for odd in ("image/2", "image/x", "other/0", "0"):
        with pytest.raises(ItemError) as caught:
            struct.read(odd, 10)
        assert caught.value.reason == "missing"


def test_which_column_holds_the_images() -> None:
    both = opened(table(mask=[b"m"], image=[b"i"], url=["https://e.org/1"]), "a.parquet")
    assert both.kind.images == "image"
    assert both.kind.addresses is None
    assert opened(table(URL=["https://e.org/1"], n=[1]), "a.parquet").kind.addresses == "URL"
    neither = opened(table(n=[1]), "a.parquet").kind
    assert (neither.images, neither.addresses) == (None, None)
    with pytest.raises(ScanError, match="left, right may hold"):
        _ = opened(table(left=[b"m"], right=[b"i"]), "a.parquet").kind


class Recorded:
    """An object in memory, and what was asked of it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = data, list[tuple[int, int]]()

    def read_range(self, file: RemoteFile, start: int, size: int) -> bytes:
        assert 0 < size <= len(self.data) - start
        self.asked.append((start, size))
        return self.data[start : start + size]


def in_parts(data: bytes) -> tuple[Recorded, RangeFile]:
    files = Recorded(data)
    found = RemoteFile(uri="s3://b/x", size=len(data), version="1")
    return files, RangeFile(files, found)  # type: ignore[arg-type]


def test_small_pieces_forward_cost_few_requests() -> None:
    data = bytes(range(256)) * 8192  # 2 MB
    files, file = in_parts(data)
    assert b"".join(iter(lambda: file.read(1000), b"")) == data
    assert len(files.asked) < 8
    assert sum(size for _, size in files.asked) < 1.1 * len(data)


def test_large_gaps_are_skipped() -> None:
    files, file = in_parts(bytes(50_000_000))
    for start in range(0, 50_000_000, 5_000_000):
        file.seek(start)
        assert len(file.read(512)) == 512
    assert sum(size for _, size in files.asked) < 1_000_000
    file.seek(-5, io.SEEK_END)
    assert file.read() == bytes(5)
    assert file.read(3) == b""


def test_a_zip_is_read_by_ranges() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.jpg", bytes([number]) * 1000)
    _, file = in_parts(out.getvalue())
    container = container_of("s3://b/a.zip", file, file.size)  # type: ignore[arg-type]
    assert container.read("3.jpg", 2000) == bytes([3]) * 1000


def test_an_index_is_kept_as_it_was() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("ü\udce9.jpg".encode("utf-8", "surrogateescape").decode("latin-1"), b"1")
    data = out.getvalue()
    index = container_of("file:///a.zip", io.BytesIO(data), len(data)).index
    assert index_from_bytes(index_as_bytes(index)) == index
