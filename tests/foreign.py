"""Other people's tools, each in an environment of its own beside ours: what they read of ours."""

import os
import subprocess
from pathlib import Path

EXCLUDE_NEWER = "2026-11-15T00:00:00Z"
"""As in pyproject.toml: what resolves today resolves tomorrow."""


def read_by(packages: str, code: str, *arguments: str | Path, **environment: str) -> str:
    """Run code with packages from the registry (`A,B`), none of ours; return what it prints."""
    command = ["uv", "run", "--quiet", "--no-project", "--isolated", "--with", packages]
    command += ["--exclude-newer", EXCLUDE_NEWER, "python", "-W", "ignore", "-c", code]
    ran = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        | environment,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
