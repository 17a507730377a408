"""Workspaces with releases and runs, made by hand."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from db import Image, Mask, MaskSource, Portrait, Release, ReleaseItem, Run, Split, Trust
from pipelines.releases.entry import Entry
from pipelines.releases.formats import Format, write
from pipelines.workspace.progress import Silent
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl, copy_of

WEIGHTS = b"weights of a student"


class Counting(Silent):
    """Counts what it hears."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def begin(self, what: str, total: int | None, unit: str = "", *, done: int = 0) -> None:
        self.total += total or 0

    def advance(self, number: int = 1, note: str = "") -> None:
        assert note.endswith(" MB")
        self.done += number


def open_workspace(root: Path) -> Workspace:
    return Workspace(root, load_settings(root))


@pytest.fixture
def workspace(ingested: Crawl, tmp_path: Path, on_either: None) -> Iterator[Workspace]:
    """Three portraits with a teacher's mask each, of three photos, one with a copy."""
    root = tmp_path / "workspace"
    copy_of(ingested, root)
    opened = open_workspace(root)
    yield opened
    opened.close()


@pytest.fixture
def released(workspace: Workspace) -> Path:
    """The folder of `round-1`, in which all portraits are, and on which a student was trained."""
    return release(workspace)


def release(
    workspace: Workspace,
    name: str = "round-1",
    number: int | None = 1,
    path: str = "releases/round-1",
    form: Format = Format.FOLDER,
) -> Path:
    """Write a sealed release of every portrait, with its rows and a run."""
    folder = workspace.paths.root / path
    folder.mkdir(parents=True)
    entries = _entries(workspace)
    write(form, folder, entries, workspace.store)
    lines = [json.dumps(entry.manifest()) + "\n" for entry in entries]
    (folder / "manifest.jsonl").write_text("".join(lines))
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    text = "".join(f"{digest(each)}  {each.relative_to(folder).as_posix()}\n" for each in files)
    (folder / "checksums.txt").write_text(text)
    values = {
        "name": name,
        "round": number,
        "path": path,
        "format": form.value,
        "checksum": digest(folder / "checksums.txt"),
        "sealed_at": datetime.now(UTC),
    }
    with workspace.engine.begin() as connection:
        insert = sa.insert(Release).values(values).returning(Release.id)
        release_id = connection.scalars(insert).one()
        for entry in entries:
            item = {
                "release_id": release_id,
                "name": entry.name,
                "portrait_id": entry.portrait_id,
                "mask_id": entry.mask_id,
                "split": entry.split,
                "trust": entry.trust,
                "image_sha256": entry.image_sha256,
                "mask_sha256": entry.mask_sha256,
            }
            connection.execute(sa.insert(ReleaseItem).values(item))
        if number is not None:
            connection.execute(sa.insert(Run).values(_run(workspace, release_id, name)))
    return folder


def _run(workspace: Workspace, release_id: int, name: str) -> dict[str, object]:
    checkpoint = workspace.paths.root / "runs" / name / "last.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(WEIGHTS)
    return {
        "release_id": release_id,
        "folder": f"runs/{name}",
        "request": {"seed": 0},
        "code_revision": "abc",
        "machine": "here",
        "checkpoint_sha256": digest(checkpoint),
        "finished_at": datetime.now(UTC),
        "promoted_at": datetime.now(UTC),
        "promotion": release_id,
    }


def _entries(workspace: Workspace) -> list[Entry]:
    query = (
        sa.select(Portrait.__table__, Mask.__table__, Image.sha256)
        .join(Mask, Mask.portrait_id == Portrait.id)
        .join(Image, Image.id == Portrait.image_id)
        .order_by(Portrait.id, Mask.revision)
    )
    portraits, masks = Portrait.__table__.c, Mask.__table__.c
    latest: dict[int, Entry] = {}
    with workspace.engine.begin() as connection:
        for row in connection.execute(query):
            portrait = SimpleNamespace(**{each.key: row._mapping[each] for each in portraits})
            mask = SimpleNamespace(**{each.key: row._mapping[each] for each in masks})
            raw = row.sha256
            x0, y0, x1, y1 = portrait.crop_box
            latest[portrait.id] = Entry(
                name=f"{raw[:12]}-{portrait.ordinal}",
                split=Split.TEST if portrait.id == 1 else Split.TRAIN,
                trust=Trust.ACCEPTED,
                portrait_id=portrait.id,
                mask_id=mask.id,
                group_id=portrait.image_id,
                image_blob=portrait.blob,
                mask_blob=mask.blob,
                width=portrait.width,
                height=portrait.height,
                photo_sha256=raw,
                crop_box=(x0, y0, x1, y1),
                face_height=10,
                mask_source=MaskSource(mask.source),
                mask_revision=mask.revision,
                producer=mask.producer,
                verdict=str(mask.verdict),
                reasons=tuple(mask.reasons),
                scores=mask.scores,
                decided_at=datetime(2026, 3, 1, tzinfo=UTC),
            )
    return list(latest.values())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
