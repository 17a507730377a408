"""The test pictures that a round's student does worst on, beside what its rival made of them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import Mask, Portrait, Release, ReleaseItem, Run
from pipelines.pages.sprites import Drawn
from pipelines.workspace.files import open_regular
from pipelines.workspace.workspace import Workspace
from sinet.json_text import from_json
from sinet.run_files import SCORES_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from sinet.checkpoint import Model

Predictions = Callable[[NDArray[np.uint8]], Sequence[NDArray[np.bool_]]]

WORST: Final = 8


@dataclass(frozen=True, kw_only=True)
class WorstPicture:
    """A test picture of a round.

    Attributes:
        portrait_id: its portrait; None: the photo was forgotten since.
        before: native IoU of whom the student was compared with, in [0, 1].
        after: native IoU of the student.
        drawn: how to draw it: outlines of the released mask, then of the rival, if its weights are
            there, then of the student; None: its photo was forgotten since.
    """

    portrait_id: int | None
    before: float
    after: float
    drawn: Drawn | None


@dataclass(frozen=True, kw_only=True)
class WorstOfRound:
    """The pictures of the latest round that was measured.

    Attributes:
        round: its number.
        against: whom its student was compared with.
        outlines: what each picture's outlines are, in order.
        pictures: the worst first.
        note: why outlines are missing; None: none are.
    """

    round: int
    against: str
    outlines: list[str]
    pictures: list[WorstPicture]
    note: str | None


def worst_of_latest(workspace: Workspace, connection: Connection) -> WorstOfRound | None:
    """Find them; None if no round was measured, or its scores are not there any more."""
    query = (
        sa.select(
            Run.id, Run.folder, Run.gate, Run.promotion, Run.checkpoint_sha256, Run.release_id
        )
        .add_columns(Release.round)
        .join(Release, Release.id == Run.release_id)
        .where(Run.finished_at.is_not(None), Run.gate.is_not(None))
        .order_by(Run.id)
    )
    runs = connection.execute(query).all()
    if not runs:
        return None
    run = runs[-1]
    against = str(run.gate["against"])
    scores = read_scores(workspace.paths.root / run.folder)
    names = sorted(scores, key=lambda name: (scores[name][1], name))[:WORST]
    if not names:
        return None
    rival = next(
        (
            each
            for each in reversed(runs[:-1])
            if each.promotion is not None and against == f"the student of round {each.round}"
        ),
        None,
    )
    asked = [] if rival is None else [(against, rival)]
    asked.append((f"the student of round {run.round}", run))
    there = [(title, _weights(workspace, each)) for title, each in asked]
    missing = [title for title, weights in there if weights is None]
    found = [(title, weights) for title, weights in there if weights is not None]
    blobs = _blobs(connection, run.release_id, names)
    more = partial(_predicted, [weights for _, weights in found]) if found else None
    return WorstOfRound(
        round=run.round,
        against=against,
        outlines=["the released mask", *(title for title, _ in found)],
        pictures=[
            WorstPicture(
                portrait_id=blobs[name].id if name in blobs else None,
                before=scores[name][0],
                after=scores[name][1],
                drawn=_drawn(blobs[name], more) if name in blobs else None,
            )
            for name in names
        ],
        note=f"The weights of {' and '.join(missing)} are gone or others." if missing else None,
    )


def _weights(workspace: Workspace, run: Any) -> Path | None:
    """The weights that a run ended with, if they are still these."""
    file = workspace.paths.root / str(run.folder) / WEIGHTS_FILE
    try:
        with open_regular(file) as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return None
    return file if digest == run.checkpoint_sha256 else None


def _blobs(connection: Connection, release_id: int, names: Sequence[str]) -> dict[str, Any]:
    query = (
        sa.select(ReleaseItem.name, Portrait.id, Portrait.blob, Portrait.width, Portrait.height)
        .add_columns(Mask.blob.label("mask_blob"))
        .join(Portrait, Portrait.id == ReleaseItem.portrait_id)
        .join(Mask, Mask.id == ReleaseItem.mask_id)
        .where(ReleaseItem.release_id == release_id, ReleaseItem.name.in_(names))
    )
    return {row.name: row for row in connection.execute(query)}


def _drawn(row: Any, more: Predictions | None) -> Drawn:
    return Drawn(blob=row.blob, size=(row.width, row.height), masks=(row.mask_blob,), more=more)


@lru_cache(maxsize=2)
def _model(weights: Path) -> "Model":
    # Torch takes seconds to import.
    from sinet.checkpoint import load_model

    return load_model(weights)


def _predicted(weights: Sequence[Path], rgb: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    from sinet.predict import predict

    return [predict(_model(each), rgb) > 0.5 for each in weights]


def read_scores(folder: Path) -> dict[str, tuple[float, float]]:
    """Native IoU before and after of each test picture, by its name; empty: not to be read."""
    try:
        found = from_json((folder / SCORES_FILE).read_bytes())
        return {
            name: (float(each["compared_with"]["native_iou"]), float(each["student"]["native_iou"]))
            for name, each in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
