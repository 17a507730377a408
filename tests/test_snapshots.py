"""The comparison of workspaces sees what it is there to see."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Crawl
from tests.snapshots import broken_blobs, differences, leftovers, snapshot

DOUBLE_A_MASK = """
INSERT INTO mask
SELECT 99, portrait_id, 2, source, producer, blob, probability_blob, verdict, reasons, scores,
    created_at, settings_id
FROM mask WHERE id = 1
"""


@pytest.fixture
def copied(ingested: Crawl, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested.workspace, tmp_path / "copied"))


def change(workspace: Path, *statements: str) -> None:
    with closing(sqlite3.connect(workspace / "dataengine.db")) as database, database:
        for statement in statements:
            database.execute(statement)


def test_a_workspace_equals_its_copy_with_other_ids_and_times(
    ingested: Crawl, copied: Path
) -> None:
    change(
        copied,
        "UPDATE job SET attempts = 7, finished_at = NULL, id = id + 100",
        "UPDATE mask SET id = id + 100, created_at = '2020-01-01'",
        "UPDATE job SET item_id = item_id + 100 WHERE stage = 'read'",
        "UPDATE source SET id = id + 100",
    )
    assert differences(snapshot(ingested.workspace), snapshot(copied)) == []
    assert (broken_blobs(copied), leftovers(copied)) == ([], [])


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM mask WHERE id = 1", "only in the first: ('mask'"),
        ("DELETE FROM job WHERE stage = 'detect' AND item_id = 2", "only in the first: ('job'"),
        ("UPDATE source SET image_id = NULL WHERE id = 1", "image is"),
        ("UPDATE portrait SET face_confidence = 0.98 WHERE id = 1", "face_confidence is 0.99"),
        ("UPDATE job SET reason = 'other' WHERE state = 'failed'", "reason is 'not_an_image'"),
        (DOUBLE_A_MASK, "only in the second: ('mask'"),
    ],
)
def test_what_is_lost_doubled_or_another_is_told(
    ingested: Crawl, copied: Path, statement: str, message: str
) -> None:
    change(copied, statement)
    found = differences(snapshot(ingested.workspace), snapshot(copied))
    assert found
    assert all(message in line for line in found)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"half")])
def test_a_broken_blob_is_told(copied: Path, damage: Callable[[Path], object]) -> None:
    damage(next((copied / "store/masks").rglob("*.png")))
    assert len(broken_blobs(copied)) == 1


def test_leftovers_are_told(copied: Path) -> None:
    (copied / "store/tmp/someone.0").write_bytes(b"half")
    (copied / "locks/someone.lock").touch()
    (copied / ".dataengine.toml.12").touch()
    change(copied, "UPDATE job SET state = 'doing' WHERE id = 1")
    kinds = [line.partition(":")[0] for line in leftovers(copied)]
    assert kinds == ["unnamed", "lock", "temporary", "unfinished"]
