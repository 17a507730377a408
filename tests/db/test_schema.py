import json
import multiprocessing
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from db import (
    Base,
    DatabaseError,
    Mask,
    Portrait,
    Review,
    ReviewProject,
    ReviewRequest,
    SchemaError,
    Stage,
    open_engine,
    queue,
    schema,
)

HEAD = schema.HEAD  # tests that add a migration change the original
REVIEW_TABLES = {"review_project", "review_request", "review"}


def version(engine: Engine) -> str:
    with engine.begin() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()


def test_head_is_alembics(engine: Engine) -> None:
    with engine.begin() as connection:
        scripts = ScriptDirectory.from_config(schema.alembic_config(connection))
    assert scripts.get_heads() == [schema.HEAD]
    for script in scripts.walk_revisions():
        assert Path(script.path).name.partition("_")[0] == script.revision


def unseen_by_alembic(engine: Engine) -> dict[str, tuple[dict[str, str], bool]]:
    """Each table's CHECK constraints, and whether it never uses an id again."""
    with engine.begin() as connection:
        inspector = sa.inspect(connection)
        sql = dict(connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").all())
        return {
            table: (
                {c["name"]: c["sqltext"] for c in inspector.get_check_constraints(table)},
                "AUTOINCREMENT" in sql[table],
            )
            for table in Base.metadata.tables
        }


def test_migrations_make_what_the_models_say(sqlite_engine: Engine, tmp_path: Path) -> None:
    with sqlite_engine.begin() as connection:
        options = {"compare_type": True, "include_object": schema.is_compared("sqlite")}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    direct = open_engine(f"sqlite:///{tmp_path}/direct.db")
    Base.metadata.create_all(direct)
    made = unseen_by_alembic(sqlite_engine)
    assert made == unseen_by_alembic(direct)
    assert sum(len(checks) for checks, _ in made.values()) == 12


def test_upgrade_creates_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new.db")
    assert schema.check(engine) is False
    assert not (tmp_path / "new.db").exists(), "asking creates nothing"
    assert schema.upgrade(engine) is True
    assert schema.check(engine) is True
    assert schema.upgrade(engine) is False
    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert capfd.readouterr() == ("", "")


def test_a_current_database_does_not_import_alembic(engine: Engine, url: str) -> None:
    code = (
        "import sys; from db import open_engine, schema\n"
        "assert not schema.upgrade(open_engine(sys.argv[1]))\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, url], check=True)


def test_an_old_database_is_upgraded_and_keeps_its_rows(
    sqlite_engine: Engine, later_migration: Path
) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO image (sha256, size_bytes, format, reasons, added_at)"
            " VALUES ('a', 1, 'JPEG', '[]', '2026-01-01')"
        )
        connection.exec_driver_sql(
            "INSERT INTO source (uri, image_id, added_at) VALUES ('file:///a', 1, '2026-01-01')"
        )
        queue.enqueue(connection, Stage.DETECT, [1])
    assert schema.check(sqlite_engine) is False
    assert schema.upgrade(sqlite_engine) is True
    assert version(sqlite_engine) == "9998"
    with sqlite_engine.begin() as connection:
        row = connection.exec_driver_sql("SELECT id, container, licence FROM image").one()
        assert row == (1, "JPEG", "unknown")
        assert connection.exec_driver_sql("SELECT image_id FROM source").scalar() == 1
        assert queue.pending(connection, [Stage.DETECT]).todo
    checks, ids_stay_unique = unseen_by_alembic(sqlite_engine)["image"]
    assert sorted(checks) == ["ck_image_outcome", "ck_image_split"]
    assert ids_stay_unique


def test_a_workspace_from_before_reviews_is_upgraded(tmp_path: Path) -> None:
    """A database of revision 0001, as the first migration makes it, with rows in it."""
    engine = open_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        command.upgrade(schema.alembic_config(connection), "0001")
        assert set(sa.inspect(connection).get_table_names()).isdisjoint(REVIEW_TABLES)
        connection.exec_driver_sql(
            "INSERT INTO image (sha256, size_bytes, reasons, added_at)"
            " VALUES ('a', 1, '[]', '2026-01-01')"
        )
        connection.exec_driver_sql(
            "INSERT INTO portrait (image_id, ordinal, face_box, landmarks, face_confidence,"
            " crop_box, width, height, blob, detector, created_at)"
            " VALUES (1, 0, '[]', '[]', 0.9, '[]', 3, 4, 'portraits/a.jpg', 'x', '2026-01-01')"
        )
        connection.exec_driver_sql(
            "INSERT INTO mask (portrait_id, revision, source, producer, blob, verdict, reasons,"
            " scores, created_at)"
            " VALUES (1, 1, 'teacher', 'x', 'masks/a.png', 'review', '[]', '{}', '2026-01-01')"
        )
    assert schema.upgrade(engine) is True
    with engine.begin() as connection:
        assert set(sa.inspect(connection).get_table_names()) >= REVIEW_TABLES
        assert connection.execute(sa.select(Mask.blob, Mask.portrait_id)).one() == (
            "masks/a.png",
            1,
        )
        project = sa.insert(ReviewProject).values(
            url="x", server_project_id=1, title="t", nonce="n"
        )
        connection.execute(project)
        request = {"key": "k", "portrait_id": 1, "mask_id": 1, "purpose": "review", "replicate": 0}
        request |= {"drawn_at_random": False, "project_id": 1, "state": "open"}
        connection.execute(sa.insert(ReviewRequest).values(request))
        with pytest.raises(sa.exc.IntegrityError, match="mask_id"):
            connection.execute(sa.insert(ReviewRequest).values({**request, "key": "other"}))


def test_a_workspace_from_before_lineage_is_upgraded(tmp_path: Path) -> None:
    """A database of revision 0003, with a portrait, its mask and a decision."""
    engine = open_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        command.upgrade(schema.alembic_config(connection), "0003")
        for line in (
            "image (sha256, size_bytes, reasons, added_at) VALUES ('a', 1, '[]', '2026-01-01')",
            (
                "portrait (image_id, ordinal, face_box, landmarks, face_confidence, crop_box,"
                " width, height, blob, detector, created_at) VALUES"
                " (1, 0, '[]', '[]', 0.9, '[]', 3, 4, 'portraits/a.jpg', 'x', '2026-01-01')"
            ),
            (
                "mask (portrait_id, revision, source, producer, blob, verdict, reasons, scores,"
                " created_at) VALUES"
                " (1, 1, 'teacher', 'x', 'masks/a.png', 'review', '[]', '{}', '2026-01-01')"
            ),
            (
                "review (mask_id, decision, reviewer, decided_at, reasons) VALUES"
                " (1, 'accept', 'ann', '2026-01-02', '[]')"
            ),
        ):
            connection.exec_driver_sql(f"INSERT INTO {line}")
    assert schema.upgrade(engine) is True
    with engine.begin() as connection:
        row = connection.execute(sa.select(Mask.blob, Mask.portrait_id, Mask.settings_id)).one()
        assert row == ("masks/a.png", 1, None)
        assert connection.execute(sa.select(Portrait.blob, Portrait.settings_id)).one() == (
            "portraits/a.jpg",
            None,
        )
        assert connection.scalar(sa.select(Review.reviewer)) == "ann"
        with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"):
            connection.execute(sa.update(Mask).values(settings_id=7))


def test_projects_from_before_marks_get_one_each(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        command.upgrade(schema.alembic_config(connection), "0006")
        for number in (1, 2):
            connection.exec_driver_sql(
                "INSERT INTO review_project (url, server_project_id, title, created_at)"
                f" VALUES ('http://x', {number}, 'portraits', '2026-01-01')"
            )
    assert schema.upgrade(engine) is True
    with engine.begin() as connection:
        nonces = list(connection.scalars(sa.select(ReviewProject.nonce)))
        assert len(set(nonces)) == 2
        assert all(len(nonce) == 32 for nonce in nonces)


@pytest.mark.parametrize(
    ("ending", "error", "message"),
    [
        ("    raise RuntimeError('power cut')\n", RuntimeError, "power cut"),
        ("    op.execute('DELETE FROM image')\n", DatabaseError, "row 1 of table source"),
    ],
)
def test_a_failed_migration_changes_nothing(
    sqlite_engine: Engine, later_migration: Path, ending: str, error: type[Exception], message: str
) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO image (sha256, size_bytes, reasons, added_at) VALUES ('a', 1, '[]', '')"
        )
        connection.exec_driver_sql(
            "INSERT INTO source (uri, image_id, added_at) VALUES ('file:///a', 1, '')"
        )
    with later_migration.open("a") as file:
        file.write(ending)
    with pytest.raises(error, match=message):
        schema.upgrade(sqlite_engine)
    assert version(sqlite_engine) == HEAD
    with sqlite_engine.begin() as connection:
        columns = {column["name"] for column in sa.inspect(connection).get_columns("image")}
        assert "licence" not in columns
        assert connection.exec_driver_sql("SELECT count(*) FROM image").scalar() == 1


def test_a_newer_database_is_refused(sqlite_engine: Engine, tmp_path: Path) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for function in (schema.check, schema.upgrade):
        with pytest.raises(SchemaError) as caught:
            function(sqlite_engine)
        assert str(caught.value) == (
            f"{tmp_path / 'dataengine.db'} was made by a newer dataengine (schema 9999): "
            "upgrade portrait-dataengine"
        )


@pytest.mark.parametrize("record", [True, False])
def test_another_programs_database_is_refused(tmp_path: Path, record: bool) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/other.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE invoice (id INTEGER)")
        if record:
            connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('ab12')")
    with pytest.raises(SchemaError, match="another program"):
        schema.upgrade(engine)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "holiday.db"
    file.write_bytes(b"\xff\xd8" * 1000)
    with pytest.raises(DatabaseError, match=r"holiday\.db cannot be opened"):
        schema.upgrade(open_engine(f"sqlite:///{file}"))
    with pytest.raises(DatabaseError, match="cannot be opened"):
        schema.upgrade(open_engine(f"sqlite:///{tmp_path}/missing/new.db"))


def _upgrade(url: str, barrier, results) -> None:
    barrier.wait()
    results.put(schema.upgrade(open_engine(url)))


def test_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.SimpleQueue()
    url = f"sqlite:///{tmp_path}/new.db"
    processes = [context.Process(target=_upgrade, args=(url, barrier, results)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert sorted(results.get() for _ in processes) == [False, False, False, True]
    assert schema.check(open_engine(url))


def test_what_a_gate_said_goes_by_its_new_word(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/older.db")
    with engine.begin() as connection:
        command.upgrade(schema.alembic_config(connection), "0017")
        for number, gate in enumerate(('{"passes": false, "reason": "too few"}', None), 1):
            insert_any(connection, "release", id=number)
            insert_any(connection, "run", id=number, release_id=number, gate=gate)
        command.upgrade(schema.alembic_config(connection), "0018")
        gates = connection.execute(sa.text("SELECT gate FROM run ORDER BY id")).scalars().all()
    engine.dispose()
    assert json.loads(gates[0]) == {"passes": False, "message": "too few"}
    assert gates[1] is None


def insert_any(connection: sa.Connection, table: str, **values: Any) -> None:
    """A row of an older schema, with anything in the columns that have to have something."""
    of_type = {"INTEGER": 1, "BIGINT": 1, "BOOLEAN": 0, "JSON": "{}", "DATETIME": "2026-01-01"}
    columns = sa.inspect(connection).get_columns(table)
    needed = {
        each["name"]: of_type.get(str(each["type"]), f"text {values['id']}")
        for each in columns
        if not each["nullable"] and each["default"] is None
    }
    row = {**needed, **values}
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
    connection.exec_driver_sql(statement, tuple(row.values()))
