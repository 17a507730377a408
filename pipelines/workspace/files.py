"""Small helpers for files."""

import hashlib
from pathlib import Path


def sha256_prefix(path: Path) -> str:
    """First 16 hexadecimal digits of a file's SHA-256: how weights are named."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
