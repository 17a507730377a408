"""A release appears whole or not at all, and never over anything."""

import hashlib
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import Forgotten, Mask, MaskSource, Release, ReleaseItem, Split, reader
from pipelines.portraits.standing import MinSource
from pipelines.releases import building
from pipelines.releases.building import alone
from pipelines.releases.exporting import ExportRequest, export_release, freeze_round
from pipelines.releases.formats import Format
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.workspace import Workspace
from sinet.data import evaluation_samples, find_samples, training_samples
from tests.pipelines.portraits.conftest import COUNT, Decide, place
from tests.pipelines.review.conftest import add_revision


class PowerCutError(Exception):
    """The process ends here."""


@pytest.fixture
def accepted(workspace: Workspace, decide: Decide) -> Workspace:
    """Every portrait accepted: two to test, two to val, twenty to train."""
    decide(dict.fromkeys(range(1, COUNT + 1), "accept"))
    splits = [Split.TEST, Split.TEST, Split.VAL, Split.VAL, *[Split.TRAIN] * 20]
    place(workspace, dict(enumerate(splits, 1)))
    return workspace


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write(workspace: Workspace, target: Path) -> None:
    export_release(workspace, ExportRequest(out=target))


def releases(workspace: Workspace) -> list[tuple[str, bool, int]]:
    items = sa.select(sa.func.count()).where(ReleaseItem.release_id == Release.id)
    query = sa.select(
        Release.name, Release.sealed_at, items.correlate(Release).scalar_subquery()
    ).order_by(Release.id)
    with reader(workspace.engine).begin() as connection:
        rows = connection.execute(query).all()
    return [(name, sealed is not None, number) for name, sealed, number in rows]


def freeze(workspace: Workspace, number: int) -> tuple[Release, bool]:
    return freeze_round(workspace, number, MinSource.ANY, lambda _: None)


def test_what_is_written_is_what_training_reads(accepted: Workspace, tmp_path: Path) -> None:
    write(accepted, tmp_path / "out")
    assert len(training_samples(tmp_path / "out")) == 20
    assert len(evaluation_samples(tmp_path / "out")[1]) == 2
    assert len(find_samples(tmp_path / "out", "test")) == 2
    lines = (tmp_path / "out/manifest.jsonl").read_text().splitlines()
    entry = json.loads(lines[0])
    assert len(lines) == COUNT
    assert (tmp_path / "out" / entry["image"]).is_file()
    assert "ann@example.org" not in "".join(lines), "a dataset names no reviewer"
    assert "ann@example.org" not in (tmp_path / "out/card.md").read_text()
    assert releases(accepted) == [("export-1", True, COUNT)]


def test_the_checksums_are_of_all_files(accepted: Workspace, tmp_path: Path) -> None:
    write(accepted, tmp_path / "out")
    found = files(tmp_path / "out")
    listed = dict(
        reversed(line.split("  ")) for line in found.pop("checksums.txt").decode().splitlines()
    )
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}


def test_the_same_state_makes_the_same_bytes(accepted: Workspace, tmp_path: Path) -> None:
    write(accepted, tmp_path / "one")
    write(accepted, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_nothing_is_overwritten(accepted: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(PipelineError, match="never overwrites"):
        write(accepted, tmp_path / "out")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PipelineError, match="no folder"):
        write(accepted, tmp_path / "file")
    assert files(tmp_path / "out") == {"mine.txt": b"mine"}
    (tmp_path / "empty").mkdir()
    write(accepted, tmp_path / "empty")


@pytest.mark.parametrize("moment", ["write", "write_checksums", "_remember", "_sync_folder"])
def test_a_power_cut_leaves_a_whole_release_or_none(
    accepted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(building, moment, cut)
        # A process that is cut off clears nothing away.
        patch.setattr(building.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(PowerCutError):
            freeze(accepted, 1)
    target = accepted.paths.releases / "round-1"
    assert target.exists() == (moment == "_sync_folder")
    _, made_now = freeze(accepted, 1)
    assert made_now == (moment != "_sync_folder")
    assert releases(accepted) == [("round-1", True, COUNT)]
    assert [path.name for path in accepted.paths.releases.iterdir()] == ["round-1"]


def test_a_full_disk_leaves_nothing(
    accepted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(building, "write_checksums", full)
    with pytest.raises(WorkspaceError, match="no space left"):
        write(accepted, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]
    assert releases(accepted) == []


def test_a_missing_blob_is_named_and_nothing_is_written(
    accepted: Workspace, tmp_path: Path
) -> None:
    with reader(accepted.engine).begin() as connection:
        blob = connection.scalar(sa.select(Mask.blob).where(Mask.portrait_id == 7))
    accepted.store.local_path(str(blob)).unlink()
    with pytest.raises(WorkspaceError, match=str(blob)):
        write(accepted, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_round_is_frozen_once(accepted: Workspace, decide: Decide) -> None:
    first, made = freeze(accepted, 3)
    before = files(accepted.paths.releases / "round-3")
    add_revision(accepted, 5, MaskSource.STUDENT)
    decide({5: "accept"})
    again, made_again = freeze(accepted, 3)
    assert (made, made_again) == (True, False)
    assert again.id == first.id
    assert files(accepted.paths.releases / "round-3") == before
    other, _ = freeze(accepted, 4)
    assert other.checksum != first.checksum


def test_a_frozen_round_is_exported_in_any_format(accepted: Workspace, tmp_path: Path) -> None:
    freeze(accepted, 3)
    found = export_release(
        accepted, ExportRequest(out=tmp_path / "coco", format=Format.COCO, round=3)
    )
    assert len(found.entries) == COUNT
    assert (tmp_path / "coco/annotations/train.json").is_file()
    frozen = accepted.paths.releases / "round-3"
    assert (tmp_path / "coco/card.md").read_bytes() == (frozen / "card.md").read_bytes()
    export_release(accepted, ExportRequest(out=tmp_path / "folder", round=3))
    assert files(tmp_path / "folder") == files(frozen)


def test_a_repository_for_the_hub_is_a_release(accepted: Workspace, tmp_path: Path) -> None:
    export_release(accepted, ExportRequest(out=tmp_path / "hub", format=Format.HF))
    listed = (tmp_path / "hub/checksums.txt").read_text()
    card = (tmp_path / "hub/card.md").read_text()
    assert card in (tmp_path / "hub/README.md").read_text()
    described = json.loads((tmp_path / "hub/croissant.json").read_text())
    assert described["rai:dataAnnotationPlatform"] == "Label Studio"
    for name in ("README.md", "croissant.json", "data/train-00000-of-00001.parquet"):
        assert f"  {name}\n" in listed


def test_what_was_forgotten_since_is_left_out_of_an_export(
    accepted: Workspace, tmp_path: Path
) -> None:
    freeze(accepted, 3)
    with accepted.engine.begin() as connection:
        row = sa.insert(Forgotten).values(sha256="0" * 64).returning(Forgotten.id)
        gone = connection.scalars(row).one()
        item = sa.update(ReleaseItem).where(ReleaseItem.portrait_id == 9)
        connection.execute(item.values(portrait_id=None, mask_id=None, forgotten_id=gone))
    found = export_release(accepted, ExportRequest(out=tmp_path / "out", round=3))
    assert (len(found.entries), found.forgotten) == (COUNT - 1, 1)


def test_a_round_that_is_not_frozen_is_told(accepted: Workspace, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="round 7 is not frozen; `dataengine train --round 7`"):
        export_release(accepted, ExportRequest(out=tmp_path / "out", round=7))


def test_nothing_trusted_is_told(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="none of 24 portraits has a trusted mask; let people"):
        write(workspace, tmp_path / "out")


def test_two_at_once_are_one_too_many(accepted: Workspace, tmp_path: Path) -> None:
    with alone(accepted), pytest.raises(PipelineError, match="another release is being written"):
        write(accepted, tmp_path / "out")
