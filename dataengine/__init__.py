"""What a person touches: Typer commands and what they print."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

GENERIC: Final = {"db": "What is remembered:", "pipelines": "What happens to a picture:"}
"""Packages of ours whose names others give to theirs, too, with how ours begin."""


def main() -> None:
    """Entry point: see that nobody else's packages are in the place of ours, and start."""
    for name in GENERIC:
        if (where := foreign(name)) is not None:
            sys.exit(
                f"error: {where}: is another program's {name!r}, in the place of this one's: take "
                "it out of PYTHONPATH, or install this program into an environment of its own, "
                "`uv tool install portrait-dataengine` or `pipx install portrait-dataengine`"
            )
    from dataengine.cli import main as run

    run()


def foreign(name: str) -> Path | None:
    """Where what is imported by one of the generic names lies, if it is not ours.

    Nothing is imported. Others' packages may come first on the path, or have been installed over
    ours into the same folder.
    """
    spec = find_spec(name)
    ours = Path(__file__).parents[1] / name / "__init__.py"
    found = ours if spec is None or spec.origin is None else Path(spec.origin)
    if found != ours:
        return found
    try:
        with ours.open(encoding="utf-8", errors="replace") as file:
            is_ours = file.readline().startswith(f'"""{GENERIC[name]}')
    except OSError:
        is_ours = False
    return None if is_ours else ours
