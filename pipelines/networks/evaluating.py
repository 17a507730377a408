"""A network scored on images with masks, alone or beside another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.networks.emptiness import Watched
from pipelines.networks.loading import load_person_model, notes
from pipelines.networks.mean import MeanModel
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.settings import TeacherSettings
from sinet.contact_sheet import check_picture_path, worst_samples, write_contact_sheet
from sinet.data import evaluation_samples, unused_masks
from sinet.data.checking import check_masks
from sinet.evaluate import Evaluation, evaluate_all
from sinet.metrics import Interval, paired_bootstrap
from sinet.models import Cost, cost
from sinet.network_ref import NetworkRef
from sinet.pictures.mask_options import SELF_EXPLAINING, MaskOptions
from sinet.predict import PersonModel


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """What to score.

    Attributes:
        network: resolved; or several, as their mean.
        data: folder of the data set.
        masks: what their maker says of its masks.
        split: of it; None: `val` if there is one, else everything.
        compare: to score beside it, resolved.
        worst: how many of the worst images to draw, with both outlines.
        out: .png or .jpg that they are drawn into; None: nothing is drawn.
        limit: score only so many images, from the beginning.
        device: `auto`, `cpu` or `cuda`.
        teacher: of the workspace; its `[teacher.onnx]` says how that network is fed, here, too.
    """

    network: NetworkRef
    data: Path
    masks: MaskOptions = SELF_EXPLAINING
    split: str | None = None
    compare: NetworkRef | None = None
    worst: int = 0
    out: Path | None = None
    limit: int | None = None
    device: str = "auto"
    teacher: TeacherSettings = field(default_factory=TeacherSettings)


@dataclass(frozen=True)
class Scored:
    """One network's scores."""

    network: NetworkRef
    cost: Cost
    evaluation: Evaluation

    @property
    def ious(self) -> list[float]:
        """Image by image, of those with somebody."""
        return [scores.iou for scores in self.evaluation.people.values()]

    @property
    def interval(self) -> Interval:
        """Of the mean iou: the difference to a network that finds nothing."""
        return paired_bootstrap(self.ious, [0.0] * len(self.ious))


@dataclass(frozen=True)
class Evaluated:
    """What came out.

    Attributes:
        data: folder of the data set.
        split: of it that was scored.
        masks_read: how its masks were read, in words, and how many each.
        scored: the network, and the one beside it.
        difference: of the mean iou of the first and the second, image by image.
        drawn: file that the worst were drawn into.
        warnings: what is odd about all masks of a network, see `emptiness`.
    """

    data: Path
    split: str
    masks_read: Counter[str]
    scored: Sequence[Scored]
    difference: Interval | None
    drawn: Path | None
    warnings: Sequence[str] = ()


def evaluate_network(request: EvaluateRequest, progress: Progress = SILENT) -> Evaluated:
    """Score a network, and draw what it does worst if that is wanted.

    Raises:
        ModelError: a network cannot be had.
        DataError: no such data or split, an image or mask that cannot be read, masks that are all
            empty or all full, or a picture that cannot be written.
    """
    # What is mistyped is told before the time is spent.
    networks = [each for each in (request.network, request.compare) if each]
    models = [
        load_person_model(each, device=request.device, settings=request.teacher)
        for each in networks
    ]
    watched = [Watched(model, each) for model, each in zip(models, networks, strict=True)]
    for model, network in zip(models, networks, strict=True):
        for note in notes(model, network):
            progress.say(note)
    if request.out is not None:
        check_picture_path(request.out)
    split, samples = evaluation_samples(request.data, request.split, request.masks)
    if unused := unused_masks(samples):
        progress.say(unused)
    whole, samples = samples, samples[: request.limit]
    masks_read = check_masks(samples, of=whole)
    labels = ", ".join(network.label for network in networks)
    evaluations = evaluate_all(watched, tracked(progress, samples, f"scoring {labels}", "images"))
    scored = [
        Scored(network, _cost(model), evaluation)
        for network, model, evaluation in zip(networks, models, evaluations, strict=True)
    ]
    if request.out is not None:
        found = scored[0].evaluation
        chosen = worst_samples(samples, found, request.worst)
        write_contact_sheet(request.out, models[0], chosen, found)
    difference = None
    if len(scored) > 1:
        difference = paired_bootstrap(scored[0].ious, scored[1].ious)
    warnings = [each.warning for each in watched if each.warning]
    return Evaluated(request.data, split, masks_read, scored, difference, request.out, warnings)


def _cost(model: PersonModel) -> Cost:
    """What a picture costs; with a mean, all that its networks do."""
    if not isinstance(model, MeanModel):
        return cost(model)
    each = [cost(member) for member in model.members]
    macs = [found.macs for found in each if found.macs is not None]
    is_known = len(macs) == len(each)
    return Cost(sum(found.parameters for found in each), sum(macs) if is_known else None)
