"""`verify --repair` makes again what it can, byte for byte, and names what only a backup has."""

import json
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import Honeypot, Mask, MaskSource, Portrait, ReviewProject, ReviewRequest, Source
from pipelines.lineage.repairing import make_again, repair_workspace
from pipelines.portraits.rows import NewMask, save_mask
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.blobs import lose
from tests.conftest import FAST_INGEST, Crawl
from tests.dataengine.conftest import Run
from tests.dataengine.conftest import run as run
from tests.pipelines.lineage.conftest import flip, open_workspace


def blobs(workspace: Workspace) -> dict[Path, bytes]:
    store = workspace.paths.store
    return {path: path.read_bytes() for kind in BlobKind for path in (store / kind).rglob("*.*")}


def test_everything_that_ingest_made(
    ingested: Crawl, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(ingested.workspace, tmp_path / "ws"))
    workspace = open_workspace(root)
    before = blobs(workspace)
    workspace.close()
    assert len(before) == 7
    lost, damaged = list(before)[::2], list(before)[1::2]
    for path in lost:
        path.unlink()
    for path in damaged:
        flip(path)
    # What made them is on record: other settings of today change nothing.
    monkeypatch.setenv("DATAENGINE_PORTRAIT__JPEG_QUALITY", "50")
    monkeypatch.setenv("DATAENGINE_TEACHER__NAME", "bundled")
    answer = run("-w", root, "verify", "--repair", "--json")
    assert answer.code == 0, answer.out
    found = json.loads(answer.out)
    assert found["ok"]
    assert found["repaired"] == len(before)
    assert {path: path.read_bytes() for path in before} == before
    answer = run("-w", root, "verify", "--repair")
    assert (answer.code, answer.out.partition(":")[0]) == (0, "all is well")


def test_a_photo_that_is_gone_or_changed_is_named(workspace: Workspace) -> None:
    with workspace.engine.begin() as connection:
        keys = sorted(connection.scalars(sa.select(Portrait.blob)))
        uris = connection.execute(sa.select(Source.id, Source.uri)).all()
        for number, uri in uris:
            moved = sa.update(Source).where(Source.id == number)
            connection.execute(moved.values(uri=uri + ".moved"))
    for key in keys:
        lose(workspace, key)
    report = repair_workspace(workspace)
    assert sorted({each.what for each in report.problems}) == keys
    why = "; cannot be made again: the photo is not where it was, or has changed since"
    assert all(each.message.endswith(why) for each in report.problems)
    assert report.repaired == 0


def test_what_people_and_chance_made_is_named(workspace: Workspace) -> None:
    drawn = workspace.store.put(BlobKind.MASK, b"drawn")
    mean = workspace.store.put(BlobKind.MASK, b"mean")
    strange = workspace.store.put(BlobKind.MASK, b"strange")
    spoilt = workspace.store.put(BlobKind.MASK, b"spoilt")
    made = (
        (MaskSource.HUMAN, "ann", drawn),
        (MaskSource.STUDENT, "mean of a and b", mean),
        (MaskSource.STUDENT, "sinet:gone@sha256:00", strange),
    )
    with workspace.engine.begin() as connection:
        for source, producer, blob in made:
            save_mask(
                connection, NewMask(1, source, producer, blob, None, "candidate", [], {}, None)
            )
        project = {"url": "http://x", "server_project_id": 1, "title": "t", "nonce": "n"}
        connection.execute(sa.insert(ReviewProject).values(project))
        asked = {
            "project_id": 1,
            "portrait_id": 1,
            "mask_id": 1,
            "key": "k",
            "state": "open",
            "purpose": "honeypot",
            "replicate": 0,
            "drawn_at_random": False,
        }
        connection.execute(sa.insert(ReviewRequest).values(asked))
        pot = {"request_id": 1, "shown_blob": spoilt, "iou": 0.5}
        connection.execute(sa.insert(Honeypot).values(pot))
    for key in (drawn, mean, strange, spoilt):
        lose(workspace, key)
    assert make_again(workspace, [drawn, mean, strange, spoilt]) == {
        drawn: "ann drew it: only a backup has it",
        mean: "it is the mean of a and b: only a backup has it",
        strange: "the network sinet:gone@sha256:00 is not here any more",
        spoilt: "it was spoilt by chance, to test reviewers: only a backup has it",
    }


def test_what_comes_out_otherwise_is_not_put_in_its_place(workspace: Workspace) -> None:
    """As with other versions of libraries: a key never names other bytes."""
    key = workspace.store.put(BlobKind.MASK, b"of another version")
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(Mask).where(Mask.id == 1).values(blob=key))
    lose(workspace, key)
    assert "gives other bytes here" in str(make_again(workspace, [key])[key])
    assert workspace.store.version(key) is None


def test_an_imported_mask(
    ingested: Crawl, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    from PIL import Image as Pillow

    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    masks = tmp_path / "masks"
    masks.mkdir()
    with Pillow.open(ingested.raw / "sharp.jpg") as photo:
        drawn = np.zeros((photo.height, photo.width), np.uint8)
    drawn[50:300, 60:250] = 255
    Pillow.fromarray(drawn).save(masks / "sharp.png")
    root = tmp_path / "ws"
    photo_path = ingested.raw / "sharp.jpg"
    assert run("-w", root, "ingest", photo_path, "--masks", masks).code == 0
    (path,) = (root / "store/masks").rglob("*.png")
    before = path.read_bytes()
    path.unlink()
    assert run("-w", root, "verify").code == 1
    answer = run("-w", root, "verify", "--repair")
    assert answer.code == 0, answer.out
    assert answer.out.startswith("made 1 blob again\nall is well")
    assert path.read_bytes() == before
    path.unlink()
    (masks / "sharp.png").unlink()
    answer = run("-w", root, "verify", "--repair")
    assert answer.code == 1
    assert "cannot be made again: the imported mask is not where it was" in answer.out


def test_a_release_is_never_changed(workspace: Workspace, run: Run) -> None:
    answer = run("-w", workspace.paths.root, "verify", "round-1", "--repair")
    assert (answer.code, answer.out) == (2, "")
    assert "is not for releases, which never change" in answer.err
