"""The state of a run on disk: enough to go on as if it had never stopped."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from sinet.errors import CheckpointError, ConfigError
from sinet.run_files import RESUME_FILE
from sinet.training.config import OF_THE_MACHINE, TrainingConfig


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


def names_digest(names: Iterable[str]) -> str:
    """Return the SHA-256 of what a run learns from, in its order."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def check_same_run(
    out: Path, state: dict[str, Any] | None, config: TrainingConfig, names: str
) -> None:
    """Find out that a run may be begun, or gone on with.

    Args:
        out: its folder.
        state: of the run there; None: one is to be begun.
        config: of the run.
        names: of its samples, as `names_digest`.

    Raises:
        ConfigError: there is another run.
    """
    if state is None:
        if (out / RESUME_FILE).exists():
            raise ConfigError(f"{out}: holds a run: resume it or choose another folder.")
        return
    # Compared as models: a setting that came later has its default in older runs.
    former = TrainingConfig.model_validate(state["config"])
    odd = [key for key, value in config if getattr(former, key) != value]
    if keys := [key for key in odd if key not in OF_THE_MACHINE]:
        raise ConfigError(f"{out}: its run has another configuration: {', '.join(keys)}.")
    learnt = state["samples"]  # the names themselves, in the states of older versions
    if (names_digest(learnt) if isinstance(learnt, list) else learnt) != names:
        raise ConfigError(f"{out}: its run was trained on other samples.")
