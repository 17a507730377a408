"""What is remembered: SQLAlchemy models, the job queue, Alembic migrations.

`db.queue`, `db.owners` and `db.schema` are used as modules: ``queue.claim(…)``.
"""

from db import owners, queue, schema
from db.backup import copy_database, find_damage
from db.copying import copy_rows, count_rows
from db.engine import (
    beside,
    display_name,
    open_engine,
    overwrite_what_was_deleted,
    parse_url,
    reader,
    session_lock,
    unordered,
)
from db.errors import DatabaseError, LeaseLostError, SchemaError, explain
from db.models import (
    ITEM_TABLES,
    ArchiveRow,
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
from db.origin_models import OriginRow
from db.owners import Holder, Owner
from db.postgres import secrets_in, shown_url
from db.presence_models import LockRow, OwnerRow, PutNoteRow, WorkspaceRow
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
from db.reading import open_to_read
from db.release_models import (
    Admitted,
    Forgotten,
    Negative,
    NegativeAudit,
    Release,
    ReleaseItem,
    Run,
    Trust,
)
from db.retrying import transact
from db.review_models import Honeypot, Review, ReviewProject, ReviewRequest, TaskRemoval
from db.writing import chunks, insert_new, insert_or_replace, lock_rows

__all__ = [
    "ITEM_TABLES",
    "Admitted",
    "ArchiveRow",
    "AttemptItem",
    "AttemptState",
    "Base",
    "CertificateAttempt",
    "DatabaseError",
    "Decision",
    "Face",
    "Forgotten",
    "Holder",
    "Honeypot",
    "Image",
    "Job",
    "JobRow",
    "JobState",
    "LeaseLostError",
    "LockRow",
    "Mask",
    "MaskDoubt",
    "MaskSignals",
    "MaskSource",
    "Negative",
    "NegativeAudit",
    "OriginRow",
    "Outcome",
    "Owner",
    "OwnerRow",
    "Pending",
    "Portrait",
    "PortraitTraits",
    "Purpose",
    "PutNoteRow",
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
    "WorkspaceRow",
    "beside",
    "chunks",
    "copy_database",
    "copy_rows",
    "count_rows",
    "display_name",
    "explain",
    "find_damage",
    "insert_new",
    "insert_or_replace",
    "lock_rows",
    "open_engine",
    "open_to_read",
    "overwrite_what_was_deleted",
    "owners",
    "parse_url",
    "queue",
    "reader",
    "schema",
    "secrets_in",
    "session_lock",
    "shown_url",
    "transact",
    "unordered",
]
