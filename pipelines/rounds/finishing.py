"""After a round was trained: measured on the frozen test split, compared, recorded, promoted."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from db import Run, Split
from pipelines.networks.current import current_student, require_student
from pipelines.releases.building import read_manifest
from pipelines.rounds.gate import Gate, compare
from pipelines.rounds.measures import MEASURES
from pipelines.rounds.preparing import RoundRun
from pipelines.rounds.promoting import current_run, promote
from pipelines.workspace.progress import Progress, tracked
from pipelines.workspace.workspace import Workspace
from sinet.checkpoint import Model, load_model
from sinet.data.listing import find_samples
from sinet.evaluate import Scores, evaluate
from sinet.json_text import to_json
from sinet.metrics import paired_bootstrap
from sinet.networks import build_network
from sinet.run_files import SCORES_FILE, WEIGHTS_FILE
from sinet.training.records import read_log


@dataclass(frozen=True)
class Measured:
    """A run that was measured.

    Attributes:
        metrics: means on the test split with intervals, by measure.
        gate: how it compares.
        promoted: it is the current student now.
        forced: by hand.
    """

    metrics: dict[str, Any]
    gate: Gate
    promoted: bool
    forced: bool


def finish_round(
    workspace: Workspace, run: RoundRun, progress: Progress, *, force: bool
) -> Measured:
    """Score the student and its rival on the round's test images, and record what follows.

    The rival is the current student, scored again on the same images; for the first round an
    untrained network. All is written in one transaction: a run is measured or it is not, and it is
    promoted only over the student it was compared with. If another round's student took that place
    meanwhile, the comparison is made again.

    Args:
        workspace: opened.
        run: trained to its end.
        progress: told of every image.
        force: promote it whatever the comparison says.

    Raises:
        DataError: the release cannot be read.
        CheckpointError: weights are damaged.
        ModelError: the current student's weights are missing.
    """
    weights = run.out / WEIGHTS_FILE
    student, digest = load_model(weights), _sha256(weights)
    samples = find_samples(run.data, Split.TEST)
    group_of = {entry.name: entry.group_id for entry in read_manifest(run.data)}
    tested = evaluate(student, tracked(progress, samples, "testing the new student", "images"))
    own = tested.people
    groups = [group_of[name] for name in own]
    metrics = _metrics(list(own.values()), groups)
    metrics["negatives"] = len(tested.negatives)
    metrics["false_person_rate"] = tested.false_person_rate
    while True:
        rival = _rival(workspace, student)
        others = tracked(progress, samples, f"testing {rival.name}", "images")
        other = evaluate(rival.model, others).people
        gate = compare(
            list(own.values()),
            list(other.values()),
            groups,
            rival.name,
            is_first=rival.run_id is None,
        )
        _write_scores(run.out / SCORES_FILE, own, other)
        values: dict[str, Any] = {
            "checkpoint_sha256": digest,
            "metrics": metrics,
            "gate": gate.as_dict(),
            "seconds": sum(record.seconds for record in read_log(run.out)),
            "finished_at": datetime.now(UTC),
        }
        with workspace.engine.begin() as connection:
            if current_run(connection) != rival.run_id:
                continue  # another round's student came first: that one is to be beaten now
            connection.execute(sa.update(Run).where(Run.id == run.run_id).values(values))
            if gate.passes or force:
                promote(connection, run.run_id, by_hand=not gate.passes)
        return Measured(metrics, gate, gate.passes or force, force and not gate.passes)


def promote_by_hand(workspace: Workspace, run: RoundRun) -> bool:
    """Make a measured run the current student; False if it was promoted before."""
    with workspace.engine.begin() as connection:
        promotion = sa.select(Run.promotion).where(Run.id == run.run_id)
        if connection.scalar(promotion) is not None:
            return False
        promote(connection, run.run_id, by_hand=True)
    return True


@dataclass(frozen=True)
class _Rival:
    """Whom a student has to beat.

    Attributes:
        run_id: of the current student's run; None: there is none yet.
        model: its network, or an untrained one.
        name: for people.
    """

    run_id: int | None
    model: Model
    name: str


def _rival(workspace: Workspace, student: Model) -> _Rival:
    if current_student(workspace) is not None:
        current = require_student(workspace)
        name = f"the student of round {current.round}"
        return _Rival(current.run_id, load_model(current.weights), name)
    network = student.network
    untrained = build_network(network.name, network.classes, network.options).eval()
    return _Rival(None, Model(untrained, student.input), "an untrained network")


def _metrics(scores: Sequence[Scores], groups: Sequence[int]) -> dict[str, Any]:
    """Mean of every measure; for those of the gate also the 95 % interval, by groups."""
    found: dict[str, Any] = {"images": len(scores), "groups": len(set(groups))}
    for name in Scores.__slots__:
        values = [getattr(each, name) for each in scores]
        found[name] = sum(values) / len(values)
        if name in MEASURES:
            interval = paired_bootstrap(values, [0.0] * len(values), groups=groups)
            found[f"{name}_interval_95"] = [interval.low, interval.high]
    return found


def _write_scores(path: Path, own: dict[str, Scores], other: dict[str, Scores]) -> None:
    """Both networks' scores image by image, for whoever wants to compare in another way."""
    found = {
        name: {"student": asdict(own[name]), "compared_with": asdict(other[name])} for name in own
    }
    path.write_text(to_json(found, indent=1) + "\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
