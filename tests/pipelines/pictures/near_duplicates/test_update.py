"""The column `image.group_id`: filled once, changed where new images ask for it, by ingest too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from db import Image, open_engine, reader, schema
from pipelines.pictures.near_duplicates.grouping import Fingerprint, update_groups
from tests.conftest import Crawl
from tests.pipelines.pictures.near_duplicates.test_grouping import fingerprints, noisy, scenes


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'dataengine.db'}")
    schema.upgrade(engine)
    yield engine
    engine.dispose()


def insert(engine: Engine, images: list[Fingerprint]) -> None:
    rows = [
        {
            "id": image.image_id,
            "sha256": f"{image.image_id:064x}",
            "size_bytes": 1,
            "reasons": [],
            # The column is signed.
            "phash": image.phash - (image.phash >> 63 << 64),
            "phash_mirror": image.phash_mirror - (image.phash_mirror >> 63 << 64),
            "descriptor": image.descriptor,
        }
        for image in images
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(Image), rows)


def groups(engine: Engine) -> dict[int, int | None]:
    with engine.begin() as connection:
        rows = connection.execute(sa.select(Image.id, Image.group_id)).all()
    return {row.id: row.group_id for row in rows}


def test_groups_are_written_and_only_changes_returned(engine: Engine) -> None:
    insert(engine, fingerprints(scenes(20)))
    with engine.begin() as connection:
        assert update_groups(connection) == {i: i for i in range(1, 21)}
    insert(engine, fingerprints(noisy(scenes(5)), first_id=101))
    with engine.begin() as connection:
        assert update_groups(connection) == {100 + i: i for i in range(1, 6)}
    expected = {i: i for i in range(1, 21)} | {100 + i: i for i in range(1, 6)}
    assert groups(engine) == expected


def test_an_older_copy_that_comes_back_gives_the_group_its_name(engine: Engine) -> None:
    insert(engine, fingerprints(scenes(3), first_id=11))
    with engine.begin() as connection:
        update_groups(connection)
    insert(engine, fingerprints(noisy(scenes(2)), first_id=1))
    with engine.begin() as connection:
        assert update_groups(connection) == {1: 1, 2: 2, 11: 1, 12: 2}


def test_with_nothing_new_nothing_is_read_or_written(engine: Engine) -> None:
    insert(engine, fingerprints(scenes(5)))
    with engine.begin() as connection:
        update_groups(connection)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    with reader(engine).begin() as connection:
        assert update_groups(connection) == {}
    assert len([text for text in statements if "image" in text]) == 1


def test_images_without_hashes_wait(engine: Engine) -> None:
    insert(engine, fingerprints(scenes(1)))
    with engine.begin() as connection:
        values = {"id": 9, "sha256": "f" * 64, "size_bytes": 1, "reasons": []}
        connection.execute(sa.insert(Image), [values])
        update_groups(connection)
        assert update_groups(connection) == {}
    assert groups(engine) == {1: 1, 9: None}


def test_rows_without_descriptors_are_grouped_by_their_hashes(engine: Engine) -> None:
    first, second = (replace(image, descriptor=None) for image in fingerprints(scenes(2)))
    insert(engine, [first, second, replace(first, image_id=3, phash=first.phash ^ 3)])
    with engine.begin() as connection:
        update_groups(connection)
    assert groups(engine) == {1: 1, 2: 2, 3: 1}


def test_ingest_stores_what_grouping_needs(ingested: Crawl) -> None:
    engine = open_engine(f"sqlite:///{ingested.workspace / 'dataengine.db'}")
    with reader(engine).begin() as connection:
        columns = sa.select(Image.phash, Image.descriptor, Image.group_id)
        rows = connection.execute(columns.where(Image.phash.is_not(None))).all()
    engine.dispose()
    assert len(rows) == 5
    assert {len(row.descriptor) for row in rows} == {1024}
    assert {row.group_id for row in rows} == {None}
