"""uv, which installs and runs what cannot live in this environment."""

import shutil
import sys
from importlib.util import find_spec


def uv_command() -> list[str] | None:
    """Return how uv is called here: the program, or the package of this Python; None: neither."""
    if found := shutil.which("uv"):
        return [found]
    if find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    return None
