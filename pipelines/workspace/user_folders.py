"""Where a user's programs keep what belongs to no workspace (XDG Base Directory Specification)."""

import os
from pathlib import Path


def cache_home() -> Path:
    """Folder of what can be had again."""
    return _ours("XDG_CACHE_HOME", "~/.cache")


def data_home() -> Path:
    """Folder of what cannot: of servers that were started for a workspace."""
    return _ours("XDG_DATA_HOME", "~/.local/share")


def _ours(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser() / "dataengine"
