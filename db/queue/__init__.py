"""The job queue: the only place that changes a job's state.

    todo ──claim──▶ doing ──succeed──▶ succeeded
      ▲               ├─────fail─────▶ failed ──retry_failed──▶ todo
      ├──release, reap_expired, lost, crashed, overran (or failed)
      └──ask, redo (the item or what is asked has changed) from succeeded or failed

Every function works inside the caller's transaction, so that a stage's result, its job's end and
the next stage's job commit together. An owner is one process that can die on its own: whatever it
holds is given back or blamed together.

A job that was held when a process died is quarantined (its `crashes` is above 0): it is claimed
alone, by an owner that holds nothing else, when no other job of its stage is left. So the one
image that kills the decoder is found without taking its neighbours down.
"""

from db.queue.asking import ask, enqueue, forget, redo, retry_failed, withdraw
from db.queue.claiming import (
    Pending,
    claim,
    counts,
    fail,
    owners,
    pending,
    release,
    renew,
    require_held,
    succeed,
    waiting,
)
from db.queue.losing import (
    GAVE_UP,
    MAX_LOSSES,
    TIMED_OUT,
    WORKER_CRASHED,
    crashed,
    lost,
    overran,
    reap_expired,
)
from db.queue.rows import MAX_ERROR_CHARACTERS, Job

__all__ = [
    "GAVE_UP",
    "MAX_ERROR_CHARACTERS",
    "MAX_LOSSES",
    "TIMED_OUT",
    "WORKER_CRASHED",
    "Job",
    "Pending",
    "ask",
    "claim",
    "counts",
    "crashed",
    "enqueue",
    "fail",
    "forget",
    "lost",
    "overran",
    "owners",
    "pending",
    "reap_expired",
    "redo",
    "release",
    "renew",
    "require_held",
    "retry_failed",
    "succeed",
    "waiting",
    "withdraw",
]
