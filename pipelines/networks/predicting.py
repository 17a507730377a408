"""A network asked about pictures and videos in files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2

from pipelines.networks.emptiness import Watched
from pipelines.networks.loading import load_person_model, notes
from pipelines.workspace.errors import ModelError
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.settings import TeacherSettings
from sinet.apply import Failure, Style, apply_to_files, plan
from sinet.checkpoint import Model
from sinet.errors import DataError
from sinet.network_ref import NetworkRef
from sinet.predict import PersonModel


@dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """What to predict.

    Attributes:
        network: resolved; or several, as their mean.
        paths: pictures, videos and folders of them.
        out: where the masks go.
        overlay: also write tinted pictures.
        threshold: of black and white masks; None: grey ones, probability × 255.
        overwrite: what is there may be replaced.
        attention: also write what the network attends to, on pictures.
        device: `auto`, `cpu` or `cuda`.
        teacher: of the workspace; its `[teacher.onnx]` says how that network is fed, here, too.
    """

    network: NetworkRef
    paths: Sequence[Path]
    out: Path
    overlay: bool = False
    threshold: float | None = None
    overwrite: bool = False
    attention: bool = False
    device: str = "auto"
    teacher: TeacherSettings = field(default_factory=TeacherSettings)


@dataclass(frozen=True)
class Predicted:
    """What was written.

    Attributes:
        out: where.
        predicted: number of files.
        failed: files that could not be read; nothing was written for them.
        warning: what is odd about all masks, see `emptiness`; None: nothing.
    """

    out: Path
    predicted: int
    failed: list[Failure]
    warning: str | None = None


def predict_pictures(request: PredictRequest, progress: Progress = SILENT) -> Predicted:
    """Find the person in pictures and videos; what is written is whole whenever it is stopped.

    Raises:
        ModelError: the network cannot be had, or attends to nothing that can be shown.
        DataError: files that may not be written, or not one that can be read.
    """
    cv2.setLogLevel(0)  # what OpenCV's decoders complain of is told once, by us
    planned = partial(
        plan, request.paths, request.out, overlay=request.overlay, overwrite=request.overwrite
    )
    works = planned()  # what cannot be written is told before the network is loaded
    network = request.network
    model = load_person_model(network, device=request.device, settings=request.teacher)
    attend = None
    if request.attention:
        attending = _attending(model, network)
        works = planned(attention=attending.network.attention_names)
        attend = attending.attention_at_input
    for note in notes(model, network):
        progress.say(note)
    watched = Watched(model, network)
    style = Style(threshold=request.threshold, overlay=request.overlay)
    what = f"predicting with {request.network.label}"
    done, failures = apply_to_files(
        watched, tracked(progress, works, what, "files"), style, attend=attend
    )
    if not done:
        more = f" (and {len(failures) - 1:,} more files)" if len(failures) > 1 else ""
        raise DataError(f"nothing could be predicted: {failures[0].reason}{more}")
    return Predicted(request.out, done, failures, watched.warning)


def _attending(model: PersonModel, network: NetworkRef) -> Model:
    """The model, if it has attention maps.

    Raises:
        ModelError: it has none.
    """
    if isinstance(model, Model) and model.network.attention_names:
        return model
    raise ModelError(
        f"{network.label}: has no attention maps; checkpoints of sinet and sanet have (of sanet "
        "with heads of attention)"
    )
