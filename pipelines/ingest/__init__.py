"""Ingestion: a crawl in, portraits with judged masks out."""

from pipelines.ingest.run import (
    IngestPlan,
    IngestRequest,
    IngestResult,
    Observer,
    check_request,
    ingest,
    plan,
)

__all__ = [
    "IngestPlan",
    "IngestRequest",
    "IngestResult",
    "Observer",
    "check_request",
    "ingest",
    "plan",
]
