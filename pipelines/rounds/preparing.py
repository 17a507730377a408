"""Before a round is trained: its data frozen, its run found again or begun."""

import hashlib
import importlib.metadata
import math
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Run, Split
from pipelines.networks import NetworkRef
from pipelines.releases.building import SealedRelease, release_path
from pipelines.releases.exporting import freeze_round
from pipelines.releases.selection import Selection
from pipelines.rounds.requests import RoundRequest
from pipelines.workspace.defaults import HELD_OUT
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace
from sinet.data import Sample, has_split, hold_out, training_samples
from sinet.data.listing import find_samples
from sinet.run_files import RESUME_FILE, WEIGHTS_FILE
from sinet.training import TrainingConfig

_ONE_SIDED = 0.001


@dataclass(frozen=True)
class RoundRun:
    """A run that was begun.

    Attributes:
        run_id: its row.
        number: of the round.
        release: its data.
        frozen_now: the release was made by this call.
        data: folder of the release.
        out: folder of the run.
        resume: it was interrupted and goes on.
        is_finished: it was trained and measured before.
    """

    run_id: int
    number: int
    release: SealedRelease
    frozen_now: bool
    data: Path
    out: Path
    resume: bool
    is_finished: bool

    def samples(self) -> tuple[list[Sample], list[Sample]]:
        """What is learnt from, and what is scored after every epoch.

        Raises:
            DataError: the release cannot be read.
        """
        samples = training_samples(self.data)
        if has_split(self.data, Split.VAL):
            return samples, find_samples(self.data, Split.VAL)
        # No portrait falls to `val`: something has to be scored while it learns.
        return hold_out(samples, HELD_OUT)


def prepare_round(workspace: Workspace, request: RoundRequest, config: TrainingConfig) -> RoundRun:
    """Freeze the round if it is not, and find the run of this request or begin one.

    The same request of the same round is the same run: interrupted, it goes on.

    Args:
        workspace: opened.
        request: its networks are resolved.
        config: as the request describes it.

    Raises:
        PipelineError: there is nothing to learn from or to measure on.
        WorkspaceError: a blob is missing or damaged, or the disk is full.
    """
    release, frozen_now = freeze_round(
        workspace,
        request.round,
        request.min_source,
        check_trainable,
        negatives=request.negatives,
    )
    wanted = _identity(request, config)
    with workspace.engine.begin() as connection:
        runs = connection.execute(
            sa.select(Run.id, Run.folder, Run.request, Run.finished_at)
            .where(Run.release_id == release.id)
            .order_by(Run.id)
        ).all()
        same = [row for row in runs if row.request == wanted]
        if same:
            run_id, folder, finished = same[-1].id, same[-1].folder, same[-1].finished_at
        else:
            folder, finished = (
                _free_folder(workspace, request.round, [r.folder for r in runs]),
                None,
            )
            run_id = _begin(connection, release.id, folder, wanted)
    out = workspace.paths.root / folder
    return RoundRun(
        run_id=run_id,
        number=request.round,
        release=release,
        frozen_now=frozen_now,
        data=release_path(workspace, release),
        out=out,
        resume=(out / RESUME_FILE).is_file(),
        is_finished=finished is not None,
    )


def check_trainable(selection: Selection) -> None:
    """Refuse data that a round could not learn from or be measured on.

    Raises:
        PipelineError: what is missing, and which command brings it.
    """
    entries, test = selection.entries, selection.test
    of_train, least, most = 0, math.inf, -math.inf
    for entry in entries:
        if entry.split is Split.TRAIN and not entry.negative:
            of_train += 1
            if (area := entry.scores.get("area")) is not None:
                least, most = min(least, area), max(most, area)
    if not of_train:
        raise PipelineError(
            f"none of the {len(entries):,} trusted portraits falls to `train`; bring more with "
            "`dataengine ingest` and `dataengine review push`"
        )
    if -math.inf < most < _ONE_SIDED or 1 - _ONE_SIDED < least < math.inf:
        side = "nothing but background" if most < _ONE_SIDED else "nothing but person"
        raise PipelineError(
            f"the masks of all {of_train:,} portraits in `train` show {side}; look at them "
            "with `dataengine show ID --out FILE` and let people decide: `dataengine review push`"
        )
    if not test.released:
        fallen = (
            f"of {test.portraits:,} portraits that fall to `test`, {test.rejected:,} were rejected "
            f"and {test.unseen:,} not looked at: `dataengine review push` asks people about them"
            if test.portraits
            else f"none of the {len(entries):,} trusted portraits falls to it: bring more photos "
            "with `dataengine ingest`, or raise `test_share` in `[release]`"
        )
        raise PipelineError(f"the round could not be measured, since `test` is empty; {fallen}")


def network_id(network: NetworkRef) -> str:
    """What decides a network's answers: its file's name and SHA-256; its name if it has none.

    Of a mean, what decides those of each member.

    Raises:
        PipelineError: the file cannot be read.
    """
    if network.members:
        return ", ".join(map(network_id, network.members))
    if network.file is None:
        return network.name
    try:
        digest = hashlib.sha256(network.file.read_bytes()).hexdigest()
    except OSError as error:
        raise PipelineError(f"{network}: cannot be read ({error.strerror})") from error
    return f"{network.file.name}@sha256:{digest}"


def code_revision() -> str:
    """Version of this program; in a checkout also its commit, with `dirty` if it was changed."""
    version = importlib.metadata.version("portrait-dataengine")
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return version
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version} ({found.stdout.strip()})"


def machine(device: str) -> str:
    """What the run is computed on; without the machine's name."""
    import os

    import torch

    used = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    processor = torch.cuda.get_device_name() if used == "cuda" else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}, torch {torch.__version__}"


def _identity(request: RoundRequest, config: TrainingConfig) -> dict[str, Any]:
    """What decides the result of a run, as JSON."""
    return {
        "config": config.model_dump(mode="json"),
        "init": request.init and network_id(request.init),
        "teacher": request.teacher and network_id(request.teacher),
    }


def _begin(connection: Connection, release_id: int, folder: str, wanted: dict[str, Any]) -> int:
    values = {
        "release_id": release_id,
        "folder": folder,
        "request": wanted,
        "code_revision": code_revision(),
        "machine": machine("auto"),
    }
    return connection.scalars(sa.insert(Run).values(values).returning(Run.id)).one()


def _free_folder(workspace: Workspace, number: int, taken: Sequence[str]) -> str:
    """`runs/round-N`, or `runs/round-N-2` and so on for another training of the round."""
    root = workspace.paths.root
    name, count = f"runs/round-{number}", 1
    while (
        name in taken
        or (root / name / WEIGHTS_FILE).exists()
        or (root / name / RESUME_FILE).exists()
    ):
        count += 1
        name = f"runs/round-{number}-{count}"
    return name
