"""What a gallery is made of: every mask, pixel by pixel, what is known of it, and features."""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

import pipelines
from db import Mask, Portrait, Review, Source
from pipelines.doubt.stored_traits import remember_traits
from pipelines.networks.features import BUNDLED, features
from pipelines.networks.names import parse_network
from pipelines.pages.gallery.dataset import GalleryDataset, box, journal_of, runs, write_dataset
from pipelines.pictures.stored_masks import read_mask
from pipelines.review.tag_journal import read_journal
from pipelines.workspace.errors import ModelError, PipelineError
from tests.conftest import Crawl

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\x1b[31m.jpg"


@pytest.fixture
def root(ingested: Crawl, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested.workspace, tmp_path / "portraits"))


def written(root: Path, folder: Path, at_most: int = 100) -> tuple[GalleryDataset, list[Any]]:
    folder.mkdir()
    with closing(pipelines.open_workspace(root)) as workspace:
        found = write_dataset(workspace, folder, journal_of(folder), at_most)
    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    return found, [json.loads(line) for line in lines]


def drawn(row: Any, shape: tuple[int, ...]) -> Any:
    """A mask from its runs, the other way round."""
    values = [number % 2 == 1 for number in range(len(row["runs"]))]
    return np.repeat(values, row["runs"]).reshape(shape)


def test_every_mask_is_there_as_it_is(root: Path, tmp_path: Path) -> None:
    with closing(pipelines.open_workspace(root)) as workspace:
        remember_traits(workspace)
    found, rows = written(root, tmp_path / "session")
    assert (found.portraits, found.shown, found.unreadable, found.name) == (3, 3, 0, "portraits")
    assert found.network == BUNDLED
    with closing(pipelines.open_workspace(root, read_only=True)) as workspace:
        query = sa.select(Mask.__table__, Portrait.blob.label("crop")).join(
            Portrait, Portrait.id == Mask.portrait_id
        )
        with workspace.engine.begin() as connection:
            masks = {each.id: each for each in connection.execute(query)}
        assert {row["mask"] for row in rows} == masks.keys()
        for row in rows:
            mask = read_mask(workspace.store, masks[row["mask"]].blob)
            assert np.array_equal(drawn(row, mask.shape), mask)
            crop = (tmp_path / "session/images" / row["image"]).read_bytes()
            assert crop == workspace.store.get(masks[row["mask"]].crop)
            fields = row["fields"]
            assert fields["portrait"] == masks[row["mask"]].portrait_id
            assert fields["verdict"] == masks[row["mask"]].verdict
            assert {"standing", "reasons", "reviewers", "rounds", "file", "doubt"} <= fields.keys()
            assert {"face height (third)", "sharpness (third)", "sharpness"} <= fields.keys()
            assert fields["confidence"] == round(masks[row["mask"]].scores["confidence"], 4)
    vectors = np.load(tmp_path / "session/features.npy")
    assert (vectors.shape, vectors.dtype) == ((3, 144), np.float32)
    assert np.allclose(vectors.mean(0), 0, atol=1e-4)


def test_only_what_is_known_is_said_and_people_are_named(root: Path, tmp_path: Path) -> None:
    with closing(pipelines.open_workspace(root)) as workspace, workspace.engine.begin() as to:
        mask_id = to.scalar(sa.select(sa.func.min(Mask.id)))
        image = sa.select(Portrait.image_id).join(Mask, Mask.portrait_id == Portrait.id)
        uri = f"file:///raw/{HOSTILE.replace('/', '%2F')}"
        to.execute(
            sa.update(Source)
            .where(Source.image_id == image.where(Mask.id == mask_id).scalar_subquery())
            .where(Source.id == sa.select(sa.func.min(Source.id)).scalar_subquery())
            .values(uri=uri)
        )
        now = sa.func.current_timestamp()
        review = {"mask_id": mask_id, "decision": "reject", "reviewer": HOSTILE}
        to.execute(sa.insert(Review).values(**review, decided_at=now, reasons=[]))
    _, rows = written(root, tmp_path / "session")
    said = next(row["fields"] for row in rows if row["mask"] == mask_id)
    assert said["standing"] == "rejected by people"
    assert said["reviewers"].startswith("</script><img")
    assert all(str(value).isprintable() for row in rows for value in row["fields"].values())
    assert [row["fields"]["reviewers"] for row in rows].count("nobody") == 2
    assert all(Path(row["image"]).name == row["image"] for row in rows)


def test_of_many_some_are_shown(root: Path, tmp_path: Path) -> None:
    found, rows = written(root, tmp_path / "session", at_most=2)
    assert (found.portraits, found.shown, len(rows)) == (3, 2, 2)


def test_what_cannot_be_read_is_counted(root: Path, tmp_path: Path) -> None:
    with closing(pipelines.open_workspace(root, read_only=True)) as workspace:
        with workspace.engine.begin() as connection:
            crops = list(connection.scalars(sa.select(Portrait.blob).order_by(Portrait.id)))
        paths = [workspace.store.local_path(crop) for crop in crops]
    assert paths[0] is not None
    paths[0].unlink()
    found, rows = written(root, tmp_path / "session")
    assert (found.shown, found.unreadable, len(rows)) == (2, 1, 2)
    for path in paths[1:]:
        assert path is not None
        path.unlink()
    with pytest.raises(PipelineError, match="no picture can be read"):
        written(root, tmp_path / "again")


def test_a_workspace_without_masks_says_so(tmp_path: Path) -> None:
    pipelines.init_workspace(tmp_path / "empty")
    with pytest.raises(PipelineError, match="no portrait has a mask yet"):
        written(tmp_path / "empty", tmp_path / "session")


def test_the_journal_keeps_nothing_of_what_is_gone(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    lines = [
        {"key": f"{mask:032x}", "mask": mask, "tag": "fix", "at": "2026-01-01T00:00:00Z"}
        for mask in (1, 4711)
    ]
    journal_of(folder).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with closing(pipelines.open_workspace(root)) as workspace:
        write_dataset(workspace, folder, journal_of(folder), 100)
    assert [tag.mask_id for tag in read_journal(journal_of(folder))] == [1]


def test_blobs_in_a_bucket(ingested: Crawl, s3_folder: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from dataengine.cli import app
    from tests.conftest import FAST_INGEST

    root = tmp_path / "portraits"
    for arguments in (["init", str(root), "--store", s3_folder], ["ingest", str(ingested.raw)]):
        line = arguments if arguments[0] == "init" else ["-w", str(root), *arguments]
        result = CliRunner().invoke(app, line, env=FAST_INGEST)
        assert result.exit_code == 0, result.output
    found, rows = written(root, tmp_path / "session")
    assert (found.shown, found.unreadable) == (3, 0)
    assert all((tmp_path / "session/images" / row["image"]).stat().st_size for row in rows)


@pytest.mark.parametrize(
    ("mask", "expected", "within"),
    [
        ([[0, 0], [0, 0]], [4], None),
        ([[1, 1], [1, 1]], [0, 4], [0, 0, 2, 2]),
        ([[0, 1], [1, 0]], [1, 2, 1], [0, 0, 2, 2]),
        ([[0, 0, 0], [0, 1, 1]], [4, 2], [1, 1, 2, 1]),
        ([[1]], [0, 1], [0, 0, 1, 1]),
    ],
)
def test_runs_and_boxes(mask: list[list[int]], expected: list[int], within: Any) -> None:
    array = np.array(mask, np.bool_)
    assert (runs(array), box(array)) == (expected, within)


def test_features_tell_pictures_apart_and_depend_on_nothing_else() -> None:
    chance = np.random.default_rng(0)
    pictures = [chance.integers(0, 256, (90, 60, 3), dtype=np.uint8) for _ in range(5)]
    pictures.append(np.zeros((300, 200, 3), np.uint8))
    network = parse_network(BUNDLED)
    every = list(features(network, [lambda each=each: each for each in pictures]))
    (alone,) = features(network, [lambda: pictures[-1]])
    assert np.array_equal(every[-1], alone)
    noise = np.linalg.norm(every[0] - every[1])
    assert np.linalg.norm(every[0] - every[-1]) > 5 * noise
    with pytest.raises(ModelError, match=r"gone\.safetensors"):
        list(features(parse_network("sinet:gone.safetensors"), []))
