"""Everything `db` raises on purpose.

DatabaseError            base: one line for the user, exit code 1
├── SchemaError          the database is newer than the program, or not ours
└── LeaseLostError       a job to finish is no longer held by who wants to finish it
"""

from sqlalchemy.exc import DBAPIError

from db.refusals import refusal


class DatabaseError(Exception):
    """Base of this package's errors; the message says what, where and what to do."""


class SchemaError(DatabaseError):
    """The database was made by a newer program or by another one: nothing was changed."""


class LeaseLostError(DatabaseError):
    """A job is no longer held by this owner, so its results must not be kept.

    Raised inside the transaction that carries the results: letting it leave the
    transaction's block rolls them back.
    """


def explain(error: BaseException) -> str | None:
    """One line for an error of the database driver; None for any other error."""
    if not isinstance(error, DBAPIError):
        return None
    lines = str(error.orig or error).strip().splitlines()
    reason = lines[0] if lines else type(error.orig).__name__
    refused = refusal(error)
    if refused is not None:
        return f"the database refused: {refused}"
    if "disk is full" in reason or "disk I/O error" in reason:
        return (
            f"the database cannot be written ({reason}); "
            "free some space and run the same command again"
        )
    if "readonly" in reason or "read-only" in reason:
        return f"the database cannot be written ({reason}); check the folder's permissions"
    if "locked" in reason:
        return f"the database is busy ({reason}); run the same command again"
    if "not a database" in reason or "malformed" in reason:
        return f"the database is damaged ({reason}); restore it from a backup"
    if "foreign key" in reason.lower():
        return (
            f"what this was about is not there any more ({reason}): another command, `forget` "
            "maybe, removed it meanwhile; run the same command again"
        )
    return f"the database refused ({reason})"
