"""The column `image.group_id`: filled once, changed where new images ask for it, by ingest too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from db import Image, open_engine, reader
from tests.conftest import Crawl
from tests.pipelines.pictures.near_duplicates.test_grouping import fingerprints, noisy, scenes
from tests.pipelines.portraits.near import Table, table


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Table]:
    with table(tmp_path) as made:
        yield made


def test_groups_are_written_and_only_changes_returned(photos: Table) -> None:
    photos.insert(fingerprints(scenes(20)))
    assert photos.update() == {i: i for i in range(1, 21)}
    photos.insert(fingerprints(noisy(scenes(5)), first_id=101))
    assert photos.update() == {100 + i: i for i in range(1, 6)}
    expected = {i: i for i in range(1, 21)} | {100 + i: i for i in range(1, 6)}
    assert photos.groups() == expected


def test_an_older_copy_that_comes_back_gives_the_group_its_name(photos: Table) -> None:
    photos.insert(fingerprints(scenes(3), first_id=11))
    photos.update()
    photos.insert(fingerprints(noisy(scenes(2)), first_id=1))
    assert photos.update() == {1: 1, 2: 2, 11: 1, 12: 2}


def test_with_nothing_new_nothing_is_read_or_written(photos: Table) -> None:
    photos.insert(fingerprints(scenes(5)))
    photos.update()
    statements: list[str] = []
    event.listen(photos.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    assert photos.update() == {}
    assert len([text for text in statements if "image" in text]) == 1


def test_images_without_hashes_wait(photos: Table) -> None:
    photos.insert(fingerprints(scenes(1)))
    with photos.engine.begin() as connection:
        values = {"id": 9, "sha256": "f" * 64, "size_bytes": 1, "reasons": []}
        connection.execute(sa.insert(Image), [values])
    photos.update()
    assert photos.update() == {}
    assert photos.groups() == {1: 1, 9: None}


def test_rows_without_descriptors_are_grouped_by_their_hashes(photos: Table) -> None:
    first, second = (replace(image, descriptor=None) for image in fingerprints(scenes(2)))
    photos.insert([first, second, replace(first, image_id=3, phash=first.phash ^ 3)])
    photos.update()
    assert photos.groups() == {1: 1, 2: 2, 3: 1}


def test_ingest_stores_what_grouping_needs(ingested: Crawl) -> None:
    engine = open_engine(f"sqlite:///{ingested.workspace / 'dataengine.db'}")
    with reader(engine).begin() as connection:
        columns = sa.select(Image.phash, Image.descriptor, Image.group_id)
        rows = connection.execute(columns.where(Image.phash.is_not(None))).all()
    engine.dispose()
    assert len(rows) == 5
    assert {len(row.descriptor) for row in rows} == {1024}
    assert {row.group_id for row in rows} == {None}
