"""What is remembered: SQLAlchemy models, the job queue, Alembic migrations.

`db.queue` and `db.schema` are used as modules: ``queue.claim(…)``, ``schema.upgrade(engine)``.
"""

from db import queue, schema
from db.engine import open_engine, reader
from db.errors import DatabaseError, LeaseLostError, SchemaError, explain
from db.models import (
    Base,
    Face,
    Image,
    JobRow,
    JobState,
    Mask,
    MaskSource,
    Outcome,
    Portrait,
    Source,
    Stage,
    Verdict,
)
from db.queue import Job, Pending

__all__ = [
    "Base",
    "DatabaseError",
    "Face",
    "Image",
    "Job",
    "JobRow",
    "JobState",
    "LeaseLostError",
    "Mask",
    "MaskSource",
    "Outcome",
    "Pending",
    "Portrait",
    "SchemaError",
    "Source",
    "Stage",
    "Verdict",
    "explain",
    "open_engine",
    "queue",
    "reader",
    "schema",
]
