"""A network's soft mattes scored on images with alpha mattes."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.networks.loading import load_person_model, notes
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.settings import TeacherSettings
from sinet.data import evaluation_samples
from sinet.matting import FOLDERS, MatteEvaluation, evaluate_matte
from sinet.network_ref import NetworkRef


@dataclass(frozen=True, kw_only=True)
class MatteRequest:
    """What to score.

    Attributes:
        network: resolved; or several, as their mean.
        data: folder with `images` and `alphas`, and `trimaps` if there are any.
        split: of it; None: `val` if there is one, else everything.
        limit: score only so many images, from the beginning.
        device: `auto`, `cpu` or `cuda`.
        teacher: of the workspace; its `[teacher.onnx]` says how that network is fed, here, too.
    """

    network: NetworkRef
    data: Path
    split: str | None = None
    limit: int | None = None
    device: str = "auto"
    teacher: TeacherSettings = field(default_factory=TeacherSettings)


@dataclass(frozen=True, kw_only=True)
class MatteEvaluated:
    """What came out.

    Attributes:
        network: that was scored.
        data: folder of the data set.
        split: of it.
        evaluation: errors of each image, and their means.
    """

    network: NetworkRef
    data: Path
    split: str
    evaluation: MatteEvaluation


def evaluate_mattes(request: MatteRequest, progress: Progress = SILENT) -> MatteEvaluated:
    """Compare a network's probability of the person with alpha mattes, at the size of each image.

    Raises:
        ModelError: the network cannot be had.
        DataError: no such data or split, or an image, alpha or trimap that cannot be read.
    """
    model = load_person_model(request.network, device=request.device, settings=request.teacher)
    for note in notes(model, request.network):
        progress.say(note)
    split, samples = evaluation_samples(request.data, request.split, folders=FOLDERS)
    what = f"scoring {request.network.label}"
    evaluation = evaluate_matte(model, tracked(progress, samples[: request.limit], what, "images"))
    return MatteEvaluated(
        network=request.network, data=request.data, split=split, evaluation=evaluation
    )
