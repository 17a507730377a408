"""What is remembered: SQLAlchemy models, the job queue, Alembic migrations.

`db.queue` and `db.schema` are used as modules: ``queue.claim(…)``, ``schema.upgrade(engine)``.
"""

from db import queue, schema
from db.engine import open_engine, reader
from db.errors import DatabaseError, LeaseLostError, SchemaError, explain
from db.models import (
    Base,
    Decision,
    Face,
    Image,
    JobRow,
    JobState,
    Mask,
    MaskSource,
    Outcome,
    Portrait,
    Purpose,
    RequestState,
    Source,
    Stage,
    Verdict,
)
from db.queue import Job, Pending
from db.review_models import Review, ReviewProject, ReviewRequest

__all__ = [
    "Base",
    "DatabaseError",
    "Decision",
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
    "Purpose",
    "RequestState",
    "Review",
    "ReviewProject",
    "ReviewRequest",
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
