"""A forgotten photo is nowhere any more, and stays out."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import (
    Base,
    Forgotten,
    Image,
    JobRow,
    JobState,
    Mask,
    MaskSignals,
    MaskSource,
    Portrait,
    PortraitFeatures,
    ReleaseItem,
    Review,
    ReviewRequest,
    Stage,
)
from pipelines.label_studio.errors import ReviewError
from pipelines.label_studio.fake import FakeGateway, Fault
from pipelines.lineage.choosing import choose
from pipelines.lineage.collecting import CollectRequest, collect_garbage
from pipelines.lineage.forgetting import plan, remove_photos
from pipelines.lineage.verifying import VerifyRequest, verify_workspace
from pipelines.review.pull import pull_answers
from pipelines.review.removals import delete_forgotten, waiting
from pipelines.workspace.errors import BusyError, PipelineError
from pipelines.workspace.exclusive import PUSH, exclusive
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.blobs import is_there
from tests.conftest import Crawl
from tests.dataengine.conftest import run as run
from tests.pipelines.ingest.conftest import Ingest
from tests.pipelines.ingest.conftest import ingest_here as ingest_here
from tests.pipelines.lineage.conftest import digest, open_workspace
from tests.pipelines.review.conftest import add_revision, push_all, requests

PHOTO = "sharp.jpg"  # there is a copy of it


@pytest.fixture
def raw(ingested: Crawl) -> Path:
    return ingested.raw / PHOTO


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    monkeypatch.setattr("pipelines.review.sending._LOOK_AGAIN_SECONDS", 0.01)
    return FakeGateway()


def chosen(workspace: Workspace, *names: str | Path) -> list[int]:
    with workspace.engine.begin() as connection:
        return choose(connection, [str(name) for name in names]).image_ids


def of_photo(workspace: Workspace, raw: Path) -> tuple[int, int]:
    """Ids of a photo's image and portrait."""
    with workspace.engine.begin() as connection:
        query = sa.select(Image.id, Portrait.id).join(Portrait, Portrait.image_id == Image.id)
        return tuple(connection.execute(query.where(Image.sha256 == digest(raw))).one())


def rows(workspace: Workspace) -> dict[str, int]:
    with workspace.engine.begin() as connection:
        return {
            name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


def blobs(workspace: Workspace) -> set[str]:
    return set(workspace.store.keys())


def test_everything_of_a_photo_goes_and_nothing_else(
    workspace: Workspace, released: Path, raw: Path, gateway: FakeGateway
) -> None:
    image_id, portrait_id = of_photo(workspace, raw)
    push_all(workspace, gateway)
    (asked,) = (each for each in requests(workspace) if each.portrait_id == portrait_id)
    gateway.answer(asked.task_id, "accept")
    pull_answers(workspace, gateway=gateway)
    fixed = add_revision(workspace, portrait_id, MaskSource.HUMAN)
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(Review).values(fixed_mask_id=fixed))
        connection.execute(sa.update(Image).values(group_id=image_id))
        others = set(connection.scalars(sa.select(Portrait.blob).where(Portrait.id != portrait_id)))
    before, stored = rows(workspace), blobs(workspace)
    with workspace.engine.begin() as connection:
        planned = plan(connection, [image_id])
    (photo,) = planned.photos
    assert (photo.portraits, photo.masks, photo.reviews, photo.tasks) == (1, 2, 1, 1)
    assert (len(photo.uris), photo.near_duplicates) == (2, before["image"] - 1)
    (containing,) = planned.releases
    assert (containing.name, containing.runs) == ("round-1", ["runs/round-1"])
    assert containing.items == [f"{digest(raw)[:12]}-0"]

    done = remove_photos(workspace, [image_id])
    # The probability of the fake teacher is everybody's: it stays.
    assert (done.photos, done.blobs, done.spared_keys) == (1, 3, [])
    after = rows(workspace)
    lost = {name: before[name] - after[name] for name in before if before[name] != after[name]}
    assert lost == {
        "image": 1, "source": 2, "portrait": 1, "mask": 2, "review_request": 1, "review": 1,
        "job": 4, "forgotten": -1, "task_removal": -1,
    }  # fmt: skip
    assert len(stored) - len(blobs(workspace)) == 3
    assert all(is_there(workspace, key) for key in others)
    with workspace.engine.begin() as connection:
        assert set(connection.scalars(sa.select(Image.group_id))) == {None}
        item = connection.execute(
            sa.select(ReleaseItem.__table__).where(ReleaseItem.forgotten_id.is_not(None))
        ).one()
    assert (item.portrait_id, item.mask_id, item.name) == (None, None, containing.items[0])
    assert raw.exists()
    report = verify_workspace(workspace, VerifyRequest())
    assert report.ok
    assert report.notes == [f"round-1: contains 1 forgotten since: {item.name}"]
    assert verify_workspace(workspace, VerifyRequest(release="round-1")).notes == report.notes

    assert len(gateway.tasks) == 3
    assert delete_forgotten(workspace, gateway) == 1
    assert asked.task_id not in gateway.tasks
    assert (len(gateway.tasks), waiting(workspace)) == (2, {})
    assert delete_forgotten(workspace, gateway) == 0


def test_every_reference_to_a_photo_is_thought_of() -> None:
    """A table that is added later must be added to `forget`, too, or go with what it names."""
    ours = {"image", "portrait", "mask", "source", "review_request", "review", "job"}
    found = {
        str(key.parent)
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name in ours and key.ondelete != "CASCADE"
    }
    assert found == {
        "source.image_id", "image.group_id", "portrait.image_id", "mask.portrait_id",
        "review_request.portrait_id", "review_request.mask_id", "review.mask_id",
        "review.request_id", "review.fixed_mask_id", "release_item.portrait_id",
        "release_item.mask_id", "negative.image_id",
        "gallery_tag.mask_id", "gallery_tag.request_id", "gallery_tag.review_id",
    }  # fmt: skip


def test_what_was_computed_about_a_photo_goes_with_it(workspace: Workspace, raw: Path) -> None:
    image_id, portrait_id = of_photo(workspace, raw)
    with workspace.engine.begin() as connection:
        mask_id = connection.scalar(sa.select(Mask.id).where(Mask.portrait_id == portrait_id))
        values = {"mask_id": mask_id, "version": 1, "values": {"confidence": 0.9}}
        connection.execute(sa.insert(MaskSignals).values(values))
        seen = {"portrait_id": portrait_id, "network": "sinet:bundled", "vector": b"1234"}
        connection.execute(sa.insert(PortraitFeatures).values(seen))
    remove_photos(workspace, [image_id])
    with workspace.engine.begin() as connection:
        for table in (MaskSignals, PortraitFeatures):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_the_ways_to_name_a_photo(
    workspace: Workspace, released: Path, raw: Path, tmp_path: Path
) -> None:
    image_id, portrait_id = of_photo(workspace, raw)
    name = f"{digest(raw)[:12]}-0"
    moved = shutil.copy(raw, tmp_path / "moved.jpg")
    for given in (
        raw, raw.parent / "a_copy.jpg", moved, digest(raw), digest(raw).upper(),
        f"portrait:{portrait_id}", released / "images" / f"{name}.jpg",
        released / "masks" / f"{name}.png",
    ):  # fmt: skip
        assert chosen(workspace, given) == [image_id], given
    assert chosen(workspace, raw, moved, f"portrait:{portrait_id}") == [image_id]


def test_a_raw_file_that_is_gone_is_known_by_its_path(
    tmp_path: Path, ingested: Crawl, ingest_here: Ingest
) -> None:
    crawl = tmp_path / "raw"
    crawl.mkdir()
    photo = Path(shutil.copy(ingested.raw / PHOTO, crawl / "p.jpg"))
    ingest_here(tmp_path / "ws", crawl)
    workspace = open_workspace(tmp_path / "ws")
    sha256 = digest(photo)
    photo.write_bytes(b"something else")
    with pytest.raises(PipelineError, match=f"holds something else.*forget {sha256}"):
        chosen(workspace, photo)
    photo.unlink()
    assert chosen(workspace, photo) == [1]
    workspace.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.jpg", "no such file, and none was taken in"),
        ("portrait:99", "no portrait 99"),
        ("portrait:x", "no such file"),
        ("0" * 64, "no photo of this workspace has these bytes"),
        (__file__, "no photo of this workspace has these bytes"),
    ],
)
def test_what_is_not_here_is_an_error(workspace: Workspace, name: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        chosen(workspace, name)


def test_a_mask_of_several_photos_names_none(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.engine.begin() as connection:
        blob = connection.scalar(sa.select(Mask.blob).where(Mask.id == 1))
        connection.execute(sa.update(Mask).values(blob=blob))
    mask = tmp_path / "mask.png"
    workspace.store.copy(str(blob), mask)
    with pytest.raises(PipelineError, match="3 photos have a mask of just these bytes"):
        chosen(workspace, mask)


def test_an_ingest_at_work_is_not_disturbed(workspace: Workspace, raw: Path) -> None:
    image_id, portrait_id = of_photo(workspace, raw)
    other = open_workspace(workspace.paths.root)
    before = rows(workspace)
    of_portrait = sa.and_(JobRow.stage == Stage.LABEL, JobRow.item_id == portrait_id)
    with workspace.engine.begin() as connection:
        values = {"state": JobState.DOING, "owner": other.owner, "lease_until": 1e12}
        connection.execute(sa.update(JobRow).where(of_portrait).values(values))
    with pytest.raises(PipelineError, match="an ingest is at work on the photo"):
        remove_photos(workspace, [image_id])
    assert rows(workspace) == before
    other.presence._file.close()  # as the kernel does when it dies
    assert remove_photos(workspace, [image_id]).photos == 1


def test_a_push_at_work_is_waited_for(workspace: Workspace) -> None:
    with exclusive(workspace, *PUSH), pytest.raises(BusyError, match="a push is at work"):
        remove_photos(workspace, [1])


def test_blobs_that_somebody_at_work_may_name_are_left_to_gc(
    workspace: Workspace, raw: Path
) -> None:
    image_id, portrait_id = of_photo(workspace, raw)
    other = open_workspace(workspace.paths.root)
    with workspace.engine.begin() as connection:
        key = connection.scalar(sa.select(Portrait.blob).where(Portrait.id == portrait_id))
    other.store.put(BlobKind.PORTRAIT, workspace.store.get(str(key)))  # of another photo's crop
    done = remove_photos(workspace, [image_id])
    assert (done.blobs, done.spared_keys) == (1, [key])
    assert is_there(workspace, str(key))
    other.close()
    assert collect_garbage(workspace, CollectRequest(yes=True)).blobs == 1
    assert not is_there(workspace, str(key))


def test_a_kill_before_the_blobs_are_removed_leaves_them_to_gc(
    workspace: Workspace, raw: Path
) -> None:
    code = """if True:
        import os, sys
        from pipelines.workspace.folder_store import FolderStore
        FolderStore.remove = lambda *_: os._exit(9)
        sys.argv[0] = "dataengine"
        from dataengine.cli import main
        main()
    """
    stored = blobs(workspace)
    workspace.close()
    root = str(workspace.paths.root)
    command = [sys.executable, "-c", code, "-w", root, "forget", str(raw), "--yes"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 9
    again = open_workspace(workspace.paths.root)
    assert len(blobs(again) & stored) == len(stored), "nothing of the store is gone yet"
    report = verify_workspace(again, VerifyRequest())
    assert (report.ok, report.unnamed) == (True, 2)
    with again.engine.begin() as connection:
        assert connection.scalar(sa.select(Forgotten.sha256)) == digest(raw)
    assert collect_garbage(again, CollectRequest(yes=True)).blobs == 2
    assert verify_workspace(again, VerifyRequest()).unnamed == 0
    again.close()


def test_a_server_that_is_away_loses_nothing(
    workspace: Workspace, raw: Path, gateway: FakeGateway
) -> None:
    image_id, _ = of_photo(workspace, raw)
    push_all(workspace, gateway)
    remove_photos(workspace, [image_id])
    gateway.fail("find_tasks", Fault.UNREACHABLE)
    with pytest.raises(ReviewError, match="cannot be reached"):
        delete_forgotten(workspace, gateway)
    assert waiting(workspace) == {gateway.url: 1}
    assert delete_forgotten(workspace, FakeGateway("http://another")) == 0
    assert waiting(workspace) == {gateway.url: 1}
    pull_answers(workspace, gateway=gateway)
    assert (len(gateway.tasks), waiting(workspace)) == (2, {})


def test_a_task_that_comes_late_is_deleted_too(
    workspace: Workspace, raw: Path, gateway: FakeGateway
) -> None:
    """Its POST got no answer: the server may still carry it out."""
    image_id, portrait_id = of_photo(workspace, raw)
    push_all(workspace, gateway)
    with workspace.engine.begin() as connection:
        unknown = sa.update(ReviewRequest).where(ReviewRequest.portrait_id == portrait_id)
        connection.execute(unknown.values(task_id=None))
    (key,) = (each.key for each in requests(workspace) if each.portrait_id == portrait_id)
    (late,) = (task for task in gateway.tasks.values() if task.key == key)
    del gateway.tasks[late.id]
    remove_photos(workspace, [image_id])
    assert delete_forgotten(workspace, gateway) == 0
    assert waiting(workspace) == {gateway.url: 1}
    gateway.tasks[late.id] = late
    push_all(workspace, gateway)
    assert (late.id in gateway.tasks, waiting(workspace)) == (False, {})


def test_a_project_that_is_gone_took_its_tasks_along(
    workspace: Workspace, raw: Path, gateway: FakeGateway
) -> None:
    push_all(workspace, gateway)
    remove_photos(workspace, [of_photo(workspace, raw)[0]])
    gateway.projects.clear()
    assert delete_forgotten(workspace, gateway) == 0
    assert waiting(workspace) == {}
