"""A small valid file that takes minutes to decode: set aside alone, with any number of workers."""

import struct
from pathlib import Path

import pytest

from tests.conftest import FAKES
from tests.pipelines.ingest.conftest import picture, save
from tests.pipelines.ingest.runs import ingest
from tests.snapshots import broken_blobs, leftovers, snapshot


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def slow_jpeg(side: int, scans: int) -> bytes:
    """A grey progressive JPEG with scans that say "nothing new" in a few bits, block after block.

    Decoders visit every block in every scan: 64 megapixels and 20,000 scans take them minutes.
    """
    blocks = (-(-side // 8)) ** 2
    frame = bytes([8]) + struct.pack(">HH", side, side) + bytes([1, 1, 0x11, 0])
    head = b"\xff\xd8" + segment(0xDB, bytes([0] + [1] * 64)) + segment(0xC2, frame)
    # Codes of one bit: no difference of brightness; a run of 2^14 empty blocks (and 14 bits more).
    for table, symbol in ((0x00, 0x00), (0x10, 0xE0)):
        head += segment(0xC4, bytes([table, 1] + [0] * 15 + [symbol]))
    brightness = segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0x00])) + bytes(-(-blocks // 8))
    bits = 15 * -(-blocks // 2**14)
    scan = segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0x00])) + bytes(-(-bits // 8))
    return head + brightness + scan * scans + b"\xff\xd9"


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.campaign), "2"])
def test_a_picture_that_decodes_for_minutes_times_out_alone(tmp_path: Path, workers: str) -> None:
    crawl = tmp_path / "crawl"
    for number in range(6):
        save(crawl / f"{number}.png", picture(number))
    (crawl / "3 slow.jpg").write_bytes(slow_jpeg(8000, 20_000))
    assert (crawl / "3 slow.jpg").stat().st_size < 4_000_000
    # The lease ends long before the picture does: it is renewed, so nobody begins it anew.
    short = {"DATAENGINE_ENGINE__ITEM_SECONDS": "6", "DATAENGINE_ENGINE__LEASE_SECONDS": "2"}
    ended = ingest(tmp_path / "ws", crawl, "--workers", workers, environment={**FAKES, **short})
    assert ended.code == 0, ended.err
    status = ended.summary["status"]
    assert status["failures"] == {"timed_out": 1}
    assert status["portraits"] == 6
    failed = [
        row
        for key, row in snapshot(tmp_path / "ws").items()
        if key[0] == "job" and row["state"] == "failed"
    ]
    assert [row["error"] for row in failed] == [
        "took longer than 6 s and was ended; `[engine] item_seconds` in the settings is the limit"
    ]
    assert broken_blobs(tmp_path / "ws") == []
    again = ingest(tmp_path / "ws", crawl, "--workers", workers, environment=FAKES)
    assert again.code == 0, again.err
    assert again.summary["run"]["files"] == 0, "it is not tried again by itself"
    assert leftovers(tmp_path / "ws") == []
