"""What is remembered: SQLAlchemy models, the job queue, Alembic migrations.

`db.queue` and `db.schema` are used as modules: ``queue.claim(…)``, ``schema.upgrade(engine)``.
"""

from db import queue, schema
from db.engine import open_engine, overwrite_what_was_deleted, reader
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
    SettingsUsed,
    Source,
    Split,
    Stage,
    Verdict,
)
from db.quality_models import (
    AttemptItem,
    AttemptState,
    CertificateAttempt,
    MaskDoubt,
    MaskSignals,
    PortraitTraits,
    ScoreModelRow,
)
from db.queue import Job, Pending
from db.release_models import Admitted, Forgotten, Release, ReleaseItem, Run, Trust
from db.review_models import Honeypot, Review, ReviewProject, ReviewRequest, TaskRemoval
from db.writing import chunks, insert_new, insert_or_replace

__all__ = [
    "Admitted",
    "AttemptItem",
    "AttemptState",
    "Base",
    "CertificateAttempt",
    "DatabaseError",
    "Decision",
    "Face",
    "Forgotten",
    "Honeypot",
    "Image",
    "Job",
    "JobRow",
    "JobState",
    "LeaseLostError",
    "Mask",
    "MaskDoubt",
    "MaskSignals",
    "MaskSource",
    "Outcome",
    "Pending",
    "Portrait",
    "PortraitTraits",
    "Purpose",
    "Release",
    "ReleaseItem",
    "RequestState",
    "Review",
    "ReviewProject",
    "ReviewRequest",
    "Run",
    "SchemaError",
    "ScoreModelRow",
    "SettingsUsed",
    "Source",
    "Split",
    "Stage",
    "TaskRemoval",
    "Trust",
    "Verdict",
    "chunks",
    "explain",
    "insert_new",
    "insert_or_replace",
    "open_engine",
    "overwrite_what_was_deleted",
    "queue",
    "reader",
    "schema",
]
