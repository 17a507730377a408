"""Commands on a workspace whose blobs are in a bucket."""

import re
import shutil
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from db import MaskSource
from pipelines.workspace.opening import open_workspace
from pipelines.workspace.store import BlobKind
from tests.conftest import FAST_INGEST, Crawl
from tests.dataengine.conftest import Run
from tests.object_storage import SECRET, server
from tests.pipelines.ingest.runs import ingest
from tests.postgres import server as postgres
from tests.snapshots import differences, snapshot


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    for key, value in FAST_INGEST.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def shared_one(run: Run, ingested: Crawl, tmp_path: Path, s3_folder: str) -> Path:
    """A workspace that was ingested into a bucket, by worker processes."""
    root = tmp_path / "ws"
    made = run("init", root, "--store", f"{s3_folder}/")
    assert made.code == 0, made.err
    assert tomllib.loads((root / "dataengine.toml").read_text())["store"]["url"] == s3_folder
    # A process of its own: workers have the surroundings of when this one first started some.
    ended = ingest(root, ingested.raw, "--workers", "2")
    assert ended.code == 0, ended.err
    assert not (root / "store").exists()
    return root


def stored(url: str) -> dict[str, bytes]:
    """By key, of the blobs."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    found = server().objects(bucket)
    return {
        key.removeprefix(f"{prefix}/"): data
        for key, data in found.items()
        if key.startswith(tuple(f"{prefix}/{kind}/" for kind in BlobKind))
    }


def test_all_that_a_workspace_does_it_does_with_a_bucket(
    run: Run, ingested: Crawl, shared_one: Path, s3_folder: str, tmp_path: Path
) -> None:
    root = shared_one
    assert differences(snapshot(root), snapshot(ingested.workspace)) == []
    folder = ingested.workspace / "store"
    blobs = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for kind in BlobKind
        for path in (folder / kind).rglob("*.*")
    }
    assert stored(s3_folder) == blobs
    assert run("-w", root, "verify").code == 0
    assert list((tmp_path / "caches").rglob("*.jpg"))

    copied = shutil.copytree(ingested.workspace, tmp_path / "copied")
    for each, out in ((root, "out"), (copied, "other")):
        with closing(sqlite3.connect(each / "dataengine.db", isolation_level=None)) as database:
            database.execute(f"UPDATE mask SET source = '{MaskSource.IMPORT}'")
        exported = run("-w", each, "export", "--out", tmp_path / out)
        assert exported.code == 0, exported.err
    images = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.jpg")}
    assert images
    assert images == {path.name: path.read_bytes() for path in (tmp_path / "other").rglob("*.jpg")}

    with closing(open_workspace(root)) as workspace:
        workspace.store.put(BlobKind.MASK, b"nobody's")
        workspace.settle()
    assert run("-w", root, "gc", "--yes").code == 0
    assert stored(s3_folder) == blobs

    lost, damaged = sorted(blobs)[:2]
    bucket, _, prefix = s3_folder.removeprefix("s3://").partition("/")
    server().client.delete_object(Bucket=bucket, Key=f"{prefix}/{lost}")
    server().client.put_object(Bucket=bucket, Key=f"{prefix}/{damaged}", Body=b"x")
    answer = run("-w", root, "verify")
    assert answer.code == 1
    assert f"{s3_folder}/{lost}" in answer.out + answer.err
    assert run("-w", root, "backup", tmp_path / "too-late").code == 1
    with closing(sqlite3.connect(root / "dataengine.db", isolation_level=None)) as database:
        database.execute(f"UPDATE mask SET source = '{MaskSource.TEACHER}'")
    repaired = run("-w", root, "verify", "--repair")
    assert stored(s3_folder) == blobs, repaired.err

    assert run("-w", root, "backup", tmp_path / "backup").code == 0
    restored = run("restore", tmp_path / "backup", tmp_path / "restored")
    assert restored.code == 0, restored.err
    assert "url" not in tomllib.loads((tmp_path / "restored/dataengine.toml").read_text())["store"]
    assert differences(snapshot(tmp_path / "restored"), snapshot(root)) == []

    assert run("-w", root, "forget", ingested.raw / "sharp.jpg", "--yes").code == 0
    left = stored(s3_folder)
    assert set(left) < set(blobs)
    gone = set(blobs) - set(left)
    assert not [path for path in (tmp_path / "caches").rglob("*.*") if path.name in str(gone)]
    assert run("-w", root, "verify").code == 0


def test_two_folders_of_one_database_have_one_store(
    run: Run, ingested: Crawl, tmp_path: Path, s3_folder: str
) -> None:
    with postgres().database(empty=True) as name:
        url = postgres().url(name)
        assert run("init", tmp_path / "a", "--database", url, "--store", s3_folder).code == 0
        for store in ([], ["--store", f"{s3_folder}-2"]):
            answer = run("init", tmp_path / "b", "--database", url, *store)
            assert (answer.code, answer.err.count("\n")) == (1, 1)
            assert "is the database of another workspace" in answer.err
            assert not (tmp_path / "b/dataengine.toml").exists()
        # Another machine, which shares no folder with the first.
        assert run("init", tmp_path / "c", "--database", url, "--store", s3_folder).code == 0
        assert run("-w", tmp_path / "c", "ingest", ingested.raw).code == 0
        assert run("-w", tmp_path / "a", "verify").code == 0

        text = (tmp_path / "c/dataengine.toml").read_text()
        (tmp_path / "c/dataengine.toml").write_text(text.replace(s3_folder, f"{s3_folder}-2"))
        for command in (["status"], ["gc", "--yes"], ["ingest", ingested.raw]):
            answer = run("-w", tmp_path / "c", *command)
            assert (answer.code, answer.err.count("\n")) == (1, 1)
            assert "are in another store than this workspace's" in answer.err
        assert stored(f"{s3_folder}-2") == {}


def test_what_one_machine_puts_another_does_not_collect(
    run: Run, tmp_path: Path, s3_folder: str
) -> None:
    """They share a database and a bucket, and no folder."""
    with postgres().database(empty=True) as name:
        for folder in ("a", "b"):
            made = run(
                "init", tmp_path / folder, "--database", postgres().url(name), "--store", s3_folder
            )
            assert made.code == 0, made.err
        with closing(open_workspace(tmp_path / "a")) as workspace:
            key = workspace.store.put(BlobKind.MASK, b"to be named")
            assert run("-w", tmp_path / "b", "gc", "--yes").code == 0
            assert workspace.store.sha256(key)[0] is not None
            workspace.settle()
            assert run("-w", tmp_path / "b", "gc", "--yes").code == 0
            assert list(workspace.store.keys()) == []


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (f"s3://key:{SECRET}@bucket/x", "write it without user, password"),
        (f"s3://bucket/x?secret={SECRET}", "write it without user, password"),
        ("https://example.org/x", "nothing can be written to a web server"),
        ("bucket/x", "is no URL; write it like s3://bucket/folder"),
        ("xyz://bucket/x", "xyz:// is unknown"),
        ("s3://no-such-bucket/x", "there is no such bucket at http"),
    ],
)
def test_a_store_that_cannot_be_is_one_line(
    run: Run, tmp_path: Path, s3_folder: str, store: str, message: str
) -> None:
    answer = run("init", tmp_path / "team", "--store", store)
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err
    assert SECRET not in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "team/dataengine.toml").exists()


def test_a_bucket_that_vanishes_in_the_middle_is_one_line_and_the_next_run_goes_on(
    run: Run, ingested: Crawl, shared_one: Path, s3_folder: str
) -> None:
    bucket = s3_folder.removeprefix("s3://").partition("/")[0]
    kept = server().objects(bucket)
    before = snapshot(shared_one)
    more = shared_one.parent / "more"
    more.mkdir()
    shutil.copy(ingested.raw / "flat.png", more / "x.png")
    (more / "x.png").write_bytes((more / "x.png").read_bytes() + b"another file")
    with closing(open_workspace(shared_one)) as workspace:
        server().empty(bucket)
        server().client.delete_bucket(Bucket=bucket)
        with pytest.raises(Exception, match=f"s3://{bucket}: there is no such bucket"):
            workspace.store.put(BlobKind.MASK, b"x")
    answer = run("-w", shared_one, "ingest", more)
    assert answer.code == 1
    assert re.fullmatch(rf"[^\n]*s3://{bucket}: there is no such bucket[^\n]*\n", answer.err)
    assert snapshot(shared_one) == before
    server().client.create_bucket(Bucket=bucket)
    for key, data in kept.items():
        server().client.put_object(Bucket=bucket, Key=key, Body=data)
    assert run("-w", shared_one, "ingest", more).code == 0
    assert run("-w", shared_one, "verify").code == 0
