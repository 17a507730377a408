"""Creating and upgrading the tables: Alembic, driven from here without a configuration file.

Every command calls `upgrade` or `check`, so both answer with one query when nothing has to be done
and import Alembic (0.7 s) only when something has.

To write a migration, add ``versions/NNNN_what.py`` by hand or start it with
``alembic.command.revision(schema.alembic_config(connection), autogenerate=True, rev_id="NNNN")``,
then set `HEAD`. The part of a file's name before the first underscore is its revision.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db.engine import display_name, reader, sqlite_file
from db.errors import DatabaseError, SchemaError
from db.postgres import require_usable
from db.refusals import refusal

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0024"
"""The newest revision in `MIGRATIONS`; a test holds it equal to Alembic's."""

MIGRATIONS = Path(__file__).parent / "migrations"


class State(Enum):
    """How the tables of a database stand."""

    MISSING = auto()  # there is no file
    EMPTY = auto()  # there are no tables
    OLDER = auto()  # an older program made them
    CURRENT = auto()  # they are at `HEAD`


def upgrade(engine: Engine) -> bool:
    """Create the tables, or bring older ones to `HEAD`, in one transaction.

    Processes that do this at the same time wait for each other; the later ones find it done.

    Returns:
        True if something changed.

    Raises:
        SchemaError: the database is newer than this program, or holds other tables.
        DatabaseError: the database cannot be opened, or a migration left rows that refer to
            nothing; nothing was changed.
    """
    if check(engine):
        return False
    with _alone(engine) as connection:
        if _state(connection) is State.CURRENT:
            return False
        _migrate(connection)
    return True


@contextmanager
def making(engine: Engine) -> Iterator[Connection]:
    """A transaction in which an empty database has just got its tables; none of them if it fails.

    Raises:
        SchemaError: the database is not empty.
        DatabaseError: it cannot be opened, or rows refer to nothing in the end.
    """
    with _alone(engine) as connection:
        if _state(connection) is not State.EMPTY:
            raise SchemaError(f"{display_name(engine)} is not empty: nothing was changed")
        _migrate(connection)
        yield connection
        _require_references(connection)


def check(engine: Engine) -> bool:
    """Tell whether the tables are there and at `HEAD`, without changing or creating anything.

    Returns:
        False if `upgrade` has something to do.

    Raises:
        SchemaError: the database is newer than this program, or holds other tables.
        DatabaseError: the database cannot be opened.
    """
    return state(engine) is State.CURRENT


def state(engine: Engine) -> State:
    """Tell how the tables stand, without changing or creating anything.

    Raises:
        SchemaError: the database is newer than this program, or holds other tables.
        DatabaseError: the database cannot be opened.
    """
    file = sqlite_file(engine)
    if file is not None and not file.exists():
        return State.MISSING
    with _opened(reader(engine)) as connection, connection.begin():
        return _state(connection)


def alembic_config(connection: Connection) -> "Config":
    """Alembic's configuration for this package's migrations, over an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def is_compared(dialect: str) -> Callable[..., bool]:
    """Tells Alembic, as its `include_object`, which indexes are another kind of database's."""

    def tells(item: Any, *_: object) -> bool:
        only = getattr(item, "_ddl_if", None)
        return only is None or only.dialect == dialect

    return tells


def _state(connection: Connection) -> State:
    """Compare the recorded revision with `HEAD`; refuse a database that cannot be upgraded."""
    inspector = sa.inspect(connection)
    name = display_name(connection.engine)
    if not inspector.has_table("alembic_version"):
        if inspector.get_table_names():
            raise SchemaError(
                f"{name} holds tables of another program: choose a new file or an empty database"
            )
        return State.EMPTY
    versions = list(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))
    if versions == [HEAD]:
        return State.CURRENT
    known = {path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/*.py")}
    if versions and known.issuperset(versions):
        return State.OLDER
    schema = ", ".join(versions) or "unknown"
    if inspector.has_table("image") and inspector.has_table("job"):
        raise SchemaError(
            f"{name} was made by a newer dataengine (schema {schema}): upgrade portrait-dataengine"
        )
    raise SchemaError(
        f"{name} belongs to another program (schema {schema}): "
        "choose a new file or an empty database"
    )


def _migrate(connection: Connection) -> None:
    from alembic import command

    command.upgrade(alembic_config(connection), "head")
    _require_references(connection)


@contextmanager
def _opened(engine: Engine) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except DBAPIError as error:
        reason = refusal(error) or str(error.orig).strip().partition("\n")[0]
        raise DatabaseError(
            f"{display_name(engine)} cannot be opened as a database: {reason}"
        ) from error
    with connection:
        yield connection


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other upgrade runs beside."""
    with _opened(engine) as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                require_usable(connection, display_name(engine))
                yield connection
            return
        # A batch migration replaces a table by a copy; with foreign keys enforced, dropping the
        # original would be refused. The pragma does nothing inside a transaction, so it is set
        # beneath SQLAlchemy's, on a connection that does not return to the pool.
        connection.detach()
        connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            yield connection


def _require_references(connection: Connection) -> None:
    """Check by hand what SQLite was told not to enforce during the migration."""
    if connection.dialect.name != "sqlite":
        return
    row = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if row is not None:
        raise DatabaseError(
            f"{display_name(connection.engine)} was not upgraded: row {row[1]} of table {row[0]} "
            f"refers to a missing row of {row[2]}; restore a backup or report this"
        )
