"""A network scored on images with masks, alone or beside another."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pipelines.networks.attributes import read_attributes
from pipelines.networks.emptiness import Watched
from pipelines.networks.loading import load_person_model, notes
from pipelines.networks.looking import look_at
from pipelines.networks.mean import MeanModel
from pipelines.networks.slicing import MEASURED, SliceScores, score_slices, slices_of
from pipelines.networks.views import PASSES, ViewedModel
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.settings import DetectorSettings, TeacherSettings
from sinet.contact_sheet import check_picture_path, worst_samples, write_contact_sheet
from sinet.data import evaluation_samples, unused_masks
from sinet.data.checking import check_masks
from sinet.evaluate import Evaluation, evaluate_all
from sinet.metrics import Interval, paired_bootstrap
from sinet.models import Cost, cost
from sinet.network_ref import NetworkRef
from sinet.pictures.mask_options import SELF_EXPLAINING, MaskOptions
from sinet.predict import PersonModel

MEASURES: Final = ("native_iou", "iou")
"""Of `Scores`: those whose intervals are told. The first is to judge by, the second to compare with
papers."""


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
        slices: score also by what the images are like.
        attributes: table of more that they are like, see `attributes`; only with `slices`.
        device: `auto`, `cpu` or `cuda`.
        detector: that finds the faces of slices.
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
    slices: bool = False
    attributes: Path | None = None
    device: str = "auto"
    detector: DetectorSettings = field(default_factory=DetectorSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)


@dataclass(frozen=True)
class Scored:
    """One network's scores; by slices, too, if that was asked for."""

    network: NetworkRef
    cost: Cost
    evaluation: Evaluation
    by_slice: SliceScores | None = None

    def values(self, measure: str) -> list[float]:
        """One of the scores image by image, of those with somebody."""
        return [getattr(scores, measure) for scores in self.evaluation.people.values()]

    def interval(self, measure: str) -> Interval:
        """Of the mean of one of the scores: the difference to a network that scores 0."""
        values = self.values(measure)
        return paired_bootstrap(values, [0.0] * len(values))


@dataclass(frozen=True)
class Evaluated:
    """What came out.

    Attributes:
        data: folder of the data set.
        split: of it that was scored.
        masks_read: how its masks were read, in words, and how many each.
        scored: the network, and the one beside it.
        differences: of the means of the first and the second, image by image, by `MEASURES`; empty
            where there is no second.
        drawn: file that the worst were drawn into.
        warnings: what is odd about all masks of a network, see `emptiness`.
    """

    data: Path
    split: str
    masks_read: Counter[str]
    scored: Sequence[Scored]
    differences: Mapping[str, Interval]
    drawn: Path | None
    warnings: Sequence[str] = ()


def evaluate_network(request: EvaluateRequest, progress: Progress = SILENT) -> Evaluated:
    """Score a network, and draw what it does worst if that is wanted.

    Raises:
        ModelError: a network cannot be had.
        DataError: no such data or split, an image or mask that cannot be read, masks that are all
            empty or all full, or a picture that cannot be written.
        ScanError: the table of attributes cannot be read, or does not fit the images.
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
    attributes = None
    if request.attributes is not None:
        attributes = read_attributes(request.attributes, [each.name for each in samples], MEASURED)
        for note in attributes.notes:
            progress.say(note)
    labels = ", ".join(network.label for network in networks)
    evaluations = evaluate_all(watched, tracked(progress, samples, f"scoring {labels}", "images"))
    scored = [
        Scored(network, _cost(model), evaluation)
        for network, model, evaluation in zip(networks, models, evaluations, strict=True)
    ]
    if request.slices:
        looked_at = tracked(progress, samples, "measuring what they are like", "images")
        slices = slices_of(look_at(looked_at, request.detector), attributes)
        scored = [replace(each, by_slice=score_slices(slices, _native(each))) for each in scored]
    if request.out is not None:
        found = scored[0].evaluation
        chosen = worst_samples(samples, found, request.worst)
        write_contact_sheet(request.out, models[0], chosen, found)
    differences = {}
    if len(scored) > 1:
        pairs = {measure: [each.values(measure) for each in scored] for measure in MEASURES}
        differences = {measure: paired_bootstrap(*pair) for measure, pair in pairs.items()}
    warnings = [each.warning for each in watched if each.warning]
    return Evaluated(request.data, split, masks_read, scored, differences, request.out, warnings)


def _cost(model: PersonModel) -> Cost:
    """What a picture costs; with a mean, all that its networks do, and each view's pass counts."""
    if isinstance(model, ViewedModel):
        once = _cost(model.model)
        return Cost(once.parameters, None if once.macs is None else PASSES * once.macs)
    if not isinstance(model, MeanModel):
        return cost(model)
    each = [_cost(member) for member in model.members]
    macs = [found.macs for found in each if found.macs is not None]
    is_known = len(macs) == len(each)
    return Cost(sum(found.parameters for found in each), sum(macs) if is_known else None)


def _native(scored: Scored) -> dict[str, float]:
    """Native IoU by the name of the image, of those with somebody."""
    return {name: scores.native_iou for name, scores in scored.evaluation.people.items()}
