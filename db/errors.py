"""Everything `db` raises on purpose.

DatabaseError            base: one line for the user, exit code 1
├── SchemaError          the database is newer than the program, or not ours
└── LeaseLostError       a job to finish is no longer held by who wants to finish it
"""


class DatabaseError(Exception):
    """Base of this package's errors; the message says what, where and what to do."""


class SchemaError(DatabaseError):
    """The database was made by a newer program or by another one: nothing was changed."""


class LeaseLostError(DatabaseError):
    """A job is no longer held by this owner, so its results must not be kept.

    Raised inside the transaction that carries the results: letting it leave the
    transaction's block rolls them back.
    """
