"""Small helpers for files."""

import errno
import hashlib
import io
import os
import stat
from pathlib import Path


def sha256_prefix(path: Path) -> str:
    """First 16 hexadecimal digits of a file's SHA-256: how weights are named."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def open_regular(path: str | os.PathLike[str], *, links: bool = True) -> io.BufferedReader:
    """Open a regular file for reading; nothing that is opened can block.

    Args:
        path: of the file.
        links: whether a symbolic link to one will do.

    Raises:
        OSError: it is something else, or cannot be opened.
    """
    # Without O_NONBLOCK, opening a named pipe waits for a writer for ever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP and not links:
            raise OSError(errno.ELOOP, "is a link, not a file") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb")
