"""Everything `pipelines` raises on purpose.

PipelineError            base: one line for the user, exit code 1
├── WorkspaceError       the workspace cannot be opened or written
│   ├── BusyError        another process does what only one may do at a time
│   ├── ReadOnlyError    something has to be written, and it was opened to read
│   └── AccessError      object storage refuses or does not answer (`object_errors`)
├── ScanError            a path given on the command line cannot be offered
│   └── SourceError      a bucket, repository or host as a whole cannot be read
├── ItemError            one item (file, image, portrait) failed; the run goes on
├── ModelError           a detector or teacher cannot be loaded
└── ServerStartError     a program of others cannot be started on this machine
"""

import os


class PipelineError(Exception):
    """Base of this package's errors; the message says what, where and what to do."""


def explain_foreign(error: BaseException) -> str | None:
    """One line for what the machine or a parser refused; None for any other error."""
    if isinstance(error, OSError) and error.strerror:
        where = error.filename if error.filename is not None else "the system"
        if isinstance(where, bytes):
            where = os.fsdecode(where)
        return f"{where}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    if isinstance(error, RecursionError):
        return "a file or an answer is nested too deeply to be read; leave it out"
    if isinstance(error, MemoryError):
        return "there is not enough memory; take smaller pictures, or fewer workers"
    if isinstance(error, UnicodeError):
        reason = getattr(error, "reason", None) or error
        return f"a name or a text holds characters that cannot be written here ({reason})"
    return None


class WorkspaceError(PipelineError):
    """The workspace cannot be opened, upgraded or written."""


class BusyError(WorkspaceError):
    """Another process does what only one may do at a time; the message names it."""


class ReadOnlyError(WorkspaceError):
    """Something has to be written first, and the workspace was opened to read."""


class ScanError(PipelineError):
    """A path given on the command line cannot be offered."""


class SourceError(ScanError):
    """A bucket, a repository or its server cannot be read: no single file's fault; the run ends."""


class ModelError(PipelineError):
    """A detector's or teacher's weights cannot be loaded or do not fit."""


class ServerStartError(PipelineError):
    """A program of others that serves somebody on this machine cannot be started."""


class WorkerError(PipelineError):
    """The worker processes cannot do their work; what they had committed stays."""


class ItemError(PipelineError):
    """One item could not be processed: its job is marked failed and the run goes on.

    Attributes:
        reason: a stable machine-readable code such as ``truncated``; counted by `status`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["ItemError"], tuple[str, str]]:
        """From one process to another it goes with both."""
        return type(self), (self.reason, str(self))
