"""The state of a run on disk: enough to go on as if it had never stopped."""

import os
from pathlib import Path
from typing import Any

import torch

from sinet.errors import CheckpointError
from sinet.run_files import RESUME_FILE


def save_state(out: Path, state: dict[str, Any]) -> None:
    """Write the state of a run, whole or not at all: after a power cut, the one before is there."""
    partial = out / f".{RESUME_FILE}.partial"
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(out / RESUME_FILE)


def load_state(out: Path) -> dict[str, Any]:
    """Read the state of a run; only tensors and plain values, no code.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    path = out / RESUME_FILE
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file: there is no run to resume.") from error
    except Exception as error:  # torch raises whatever a damaged file provokes
        raise CheckpointError(f"{path}: cut off or damaged; the run cannot be resumed.") from error
    if not isinstance(state, dict) or "epoch" not in state:
        raise CheckpointError(f"{path}: not the state of a run.")
    return state
