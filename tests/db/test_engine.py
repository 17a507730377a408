import multiprocessing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from db import DatabaseError, Image, Mask, MaskSource, Portrait, Source, open_engine, reader
from db.models import Outcome, Verdict


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("dataengine.db", "cannot be read"),
        ("mysql://u:secret@host/name", "mysql databases are not supported"),
        ("postgres+nonsense://u:secret@host/name", "unknown driver"),
        ("postgresql+psycopg2://u@host/name?password=secret", "unknown driver"),
        ("sqlite://", "in-memory"),
        ("sqlite:///:memory:", "in-memory"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "in-memory"),
        ("postgresql+nonsense://u:secret@host/name", "unknown driver"),
    ],
)
def test_unusable_urls_are_refused(url: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        open_engine(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(DatabaseError, match="needs the Python package psycopg") as caught:
        open_engine("postgresql+psycopg://u:secret@host/name")
    assert "secret" not in str(caught.value)


def test_sqlite_is_set_up(sqlite_engine: Engine) -> None:
    with sqlite_engine.begin() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 1,
        "busy_timeout": 30_000,
        "foreign_keys": 1,
    }


def _open_at_once(url: str, barrier) -> None:
    barrier.wait()
    with open_engine(url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (i INTEGER)")


def test_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(6)
    url = f"sqlite:///{tmp_path}/new.db"
    processes = [context.Process(target=_open_at_once, args=(url, barrier)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6


def test_a_reader_sees_a_snapshot_beside_a_writer_and_cannot_write(engine: Engine) -> None:
    count = sa.select(sa.func.count()).select_from(Image)
    image = {"sha256": "0" * 64, "size_bytes": 1}
    with reader(engine).begin() as reading:
        assert reading.scalar(count) == 0
        with engine.begin() as writing:
            writing.execute(sa.insert(Image), image)
        assert reading.scalar(count) == 0
    with reader(engine).begin() as reading:
        assert reading.scalar(count) == 1
        with pytest.raises(DBAPIError, match=r"readonly|read-only"):
            reading.execute(sa.delete(Image))
    # The pooled connection can write again.
    with engine.begin() as writing:
        writing.execute(sa.delete(Image))


def test_rows_come_back_as_they_went(engine: Engine) -> None:
    taken = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    face = {"box": [1.5, 2, 3, 4], "landmarks": [[1, 2]] * 5, "confidence": 0.5}
    with engine.begin() as connection:
        added = sa.insert(Image).returning(Image.id)
        image_id = connection.scalar(
            added.values(
                sha256="a" * 64, size_bytes=2**40, phash=-(2**63), faces=[face],
                outcome=Outcome.PORTRAITS, added_at=taken,
            )
        )  # fmt: skip
        connection.execute(sa.insert(Source).values(uri="file:///x.tar#a.jpg", image_id=image_id))
        portrait_id = connection.scalar(
            sa.insert(Portrait).returning(Portrait.id).values(
                image_id=image_id, ordinal=0, face_box=[1, 2, 3, 4], landmarks=[[1, 2]] * 5,
                face_confidence=0.5, crop_box=[0, 0, 3, 4], width=3, height=4, blob="b",
                detector="mtcnn",
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(Mask).values(
                portrait_id=portrait_id, revision=0, source=MaskSource.IMPORT, producer="p",
                blob="m", verdict=Verdict.REVIEW, scores={"area": 0.25},
            )
        )  # fmt: skip
    with reader(engine).begin() as connection:
        image = connection.execute(sa.select(Image.__table__)).one()
        assert image.added_at == taken
        assert image.added_at.tzinfo is UTC
        assert (image.phash, image.faces, image.reasons) == (-(2**63), [face], [])
        mask = connection.execute(sa.select(Mask.__table__)).one()
        assert mask.source is MaskSource.IMPORT
        assert mask.scores == {"area": 0.25}
        assert mask.created_at.tzinfo is UTC
        stored = connection.exec_driver_sql("SELECT source FROM mask").scalar()
        assert stored == "import"


def test_missing_json_is_null_and_not_the_word(engine: Engine) -> None:
    with engine.begin() as connection:
        image = {"sha256": "a" * 64, "size_bytes": 1, "faces": None}
        connection.execute(sa.insert(Image), image)
        missing = sa.select(sa.func.count()).where(Image.faces.is_(sa.null()))
        assert connection.scalar(missing) == 1


def test_times_without_a_zone_are_refused(engine: Engine) -> None:
    image = {"sha256": "a" * 64, "size_bytes": 1, "added_at": datetime(2026, 1, 1)}
    with engine.begin() as connection, pytest.raises(StatementError, match="no time zone"):
        connection.execute(sa.insert(Image), image)


def test_ids_of_forgotten_rows_do_not_come_back(engine: Engine) -> None:
    image = {"sha256": "a" * 64, "size_bytes": 1}
    with engine.begin() as connection:
        first = connection.scalar(sa.insert(Image).returning(Image.id), image)
        connection.execute(sa.delete(Image))
        assert connection.scalar(sa.insert(Image).returning(Image.id), image) == first + 1


def test_rows_cannot_refer_to_nothing(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        connection.execute(sa.insert(Source), {"uri": "file:///a", "image_id": 1})
