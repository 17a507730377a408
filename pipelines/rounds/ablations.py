"""The articles' tables: every row trained alike, scored, timed, and compared with its first."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import cv2

from pipelines.rounds.ablation_table import (
    SCORED,
    AblationRow,
    SeedScores,
    as_csv,
    as_dict,
    markdown,
)
from pipelines.workspace.progress import SILENT, Progress
from sinet.ablations import Ablation, chosen
from sinet.benchmark import LARGE_MACS, Trial, check_side, interleaved_ms, measure_scores, too_large
from sinet.errors import ConfigError
from sinet.evaluate import Evaluation, Scores
from sinet.json_text import from_json, to_json
from sinet.metrics import Interval, paired_bootstrap
from sinet.models import outlined_cost
from sinet.training import OF_THE_MACHINE, EpochRecord

MARKDOWN_FILE: Final = "ablations.md"
CSV_FILE: Final = "ablations.csv"
ROWS_FILE: Final = "ablations.json"
SCORES_FILE: Final = "scores.json"
"""Of a run: its scores image by image, written when it is done."""

_NOT_RUN: Final = "not run yet"


@dataclass(frozen=True, kw_only=True)
class AblationRequest:
    """What to compare.

    Attributes:
        tables: names of the networks whose articles' tables are wanted; none: all.
        rows: names of their rows; none: all.
        data: folder of the data set; None: nothing is trained or scored.
        epochs: of every training.
        seeds: trainings of a row, with the seeds 0, 1, …
        side: of the images, in pixels; a multiple of 32.
        runs: rounds in which every network is timed once; 0: none is.
        out: folder of the results and of the runs.
        device: that trains: `auto`, `cpu` or `cuda`.
        report: train nothing; tell what was trained there before.
    """

    tables: Sequence[str] = ()
    rows: Sequence[str] = ()
    data: Path | None = None
    epochs: int = 20
    seeds: int = 1
    side: int = 160
    runs: int = 20
    out: Path = Path("ablations")
    device: str = "auto"
    report: bool = False


@dataclass(frozen=True, kw_only=True)
class Ablated:
    """What came out.

    Attributes:
        protocol: what the numbers mean, in words.
        rows: of all tables, one after the other.
        files: table in Markdown and as CSV, and the numbers.
    """

    protocol: str
    rows: Sequence[AblationRow]
    files: Sequence[Path]


_Images = Mapping[str, Scores]
_Found = dict[tuple[str, int], _Images]
"""Of a row's name and a seed: scores image by image."""


def bench_ablations(request: AblationRequest, progress: Progress = SILENT) -> Ablated:
    """Train, score and time the rows of the articles' tables; what is done already stays.

    Table and numbers are written anew after every training, so that a kill loses at most one
    epoch.

    Raises:
        SINetError: no such table or row, a side that does not suit, data that cannot be read, or
            runs in the folder that were trained otherwise.
    """
    check_side(request.side)
    if request.report and request.data is None:
        raise ConfigError("--report tells of trainings: name their data set with --data.")
    tables = chosen(request.tables, request.rows)
    request.out.mkdir(parents=True, exist_ok=True)
    # OpenCV's threads and the processes that augment, forked from this one, do not mix.
    cv2.setNumThreads(0)
    rows = _timed(tables, request, progress)
    found: _Found = {}
    done = _written(rows, found, request)
    for row, trial in _trials(tables, request):
        images = _kept(trial)
        if images is None and not request.report:
            images = _trained(row, trial, _macs(rows, row), progress)
        if images is not None:
            found[row.name, int(trial.seed or 0)] = images
            done = _written(rows, found, request)
    return done


def _timed(
    tables: Sequence[Sequence[Ablation]], request: AblationRequest, progress: Progress
) -> list[AblationRow]:
    """The rows with what they cost; nothing is trained yet."""
    rows = []
    for table in tables:
        for row in table:
            cost = outlined_cost(row.network, row.options, request.side)
            rows.append(
                AblationRow(
                    table=table[0].name,
                    parameters=cost.parameters,
                    macs=cost.macs,
                    not_trained="" if request.data is None else _NOT_RUN,
                    **asdict(row),
                )
            )
    if not request.runs:
        return rows
    progress.say(f"timing {len(rows):,} networks …")
    # Rows that differ in their losses only are the same network.
    kinds = {_kind(row): (row.network, row.options) for row in rows}
    spent = dict(
        zip(kinds, interleaved_ms([*kinds.values()], request.side, request.runs), strict=True)
    )
    return [
        replace(row, eager_ms=spent[_kind(row)][0], exported_ms=spent[_kind(row)][1])
        for row in rows
    ]


def _kind(row: AblationRow) -> str:
    return to_json([row.network, dict(row.options)], sort_keys=True)


def _macs(rows: Sequence[AblationRow], row: Ablation) -> int | None:
    return next(each.macs for each in rows if each.name == row.name)


def _trials(
    tables: Sequence[Sequence[Ablation]], request: AblationRequest
) -> Iterator[tuple[Ablation, Trial]]:
    """All trainings, every row once before any comes twice."""
    if request.data is None:
        return
    for seed in range(request.seeds):
        for row in (row for table in tables for row in table):
            yield (
                row,
                Trial(
                    network=row.network,
                    recipe=row.recipe,
                    options=row.options,
                    losses=row.losses,
                    seed=seed,
                    data=request.data,
                    epochs=request.epochs,
                    side=request.side,
                    out=request.out / "runs" / row.name / f"seed-{seed}",
                    device=request.device,
                ),
            )


def _trained(row: Ablation, trial: Trial, macs: int | None, progress: Progress) -> _Images | None:
    """Train and score; None: too large for this machine."""
    if too_large(macs, trial.device):
        return None
    progress.begin(f"training {row.name}, seed {trial.seed}", trial.epochs)

    def told(record: EpochRecord, _total: int) -> None:
        progress.advance(1, f"loss {record.loss:.4f}")

    evaluation = measure_scores(trial, macs, told)
    if evaluation is None:
        return None
    _keep(trial, evaluation)
    return evaluation.people


def _keep(trial: Trial, evaluation: Evaluation) -> None:
    people = {name: asdict(scores) for name, scores in evaluation.people.items()}
    partial = trial.out / f".{SCORES_FILE}.partial"
    partial.write_text(to_json({"config": _identity(trial), "images": people}, indent=1) + "\n")
    partial.replace(trial.out / SCORES_FILE)


def _kept(trial: Trial) -> _Images | None:
    """Scores of a run that is done; None: it is not.

    Raises:
        ConfigError: it was trained otherwise, or its scores are damaged.
    """
    path = trial.out / SCORES_FILE
    try:
        kept = from_json(path.read_bytes())
        config, images = kept["config"], kept["images"]
        scores = {name: Scores(**each) for name, each in images.items()}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: damaged; remove the folder, and it is trained anew.") from error
    wanted = _identity(trial)
    if odd := sorted(key for key in wanted if config.get(key, wanted[key]) != wanted[key]):
        raise ConfigError(
            f"{trial.out}: its run has another configuration: {', '.join(odd)}; "
            "choose another --out, or give what it was run with."
        )
    return scores


def _identity(trial: Trial) -> dict[str, Any]:
    """All that decides a run, but for what depends on the machine."""
    return trial.configuration().model_dump(mode="json", exclude=set(OF_THE_MACHINE))


def _written(rows: Sequence[AblationRow], found: _Found, request: AblationRequest) -> Ablated:
    scored = [_scored(row, found, request) for row in rows]
    protocol = _protocol(request)
    files = [request.out / name for name in (MARKDOWN_FILE, CSV_FILE, ROWS_FILE)]
    numbers = {"protocol": protocol, "rows": [as_dict(row) for row in scored]}
    texts = (f"{protocol}\n\n{markdown(scored)}", as_csv(scored), to_json(numbers, indent=2) + "\n")
    for file, text in zip(files, texts, strict=True):
        partial = file.with_name(f".{file.name}.partial")
        partial.write_text(text)
        partial.replace(file)
    return Ablated(protocol=protocol, rows=scored, files=files)


def _scored(row: AblationRow, found: _Found, request: AblationRequest) -> AblationRow:
    """A row with what is known of its trainings."""
    own = {seed: images for (name, seed), images in found.items() if name == row.name}
    first = {seed: images for (name, seed), images in found.items() if name == row.table}
    both = sorted(own.keys() & first.keys()) if row.name != row.table else []
    seeds = [_seed_scores(seed, own[seed]) for seed in sorted(own)]
    others = {seed: _seed_scores(seed, first[seed]) for seed in both}
    return replace(
        row,
        seeds=seeds,
        native_iou_difference=_difference(own, first, both, "native_iou"),
        iou_difference=_difference(own, first, both, "iou"),
        seed_differences=[
            each.native_iou - others[each.seed].native_iou for each in seeds if each.seed in others
        ],
        not_trained=_why_not(row, len(seeds), request),
    )


def _seed_scores(seed: int, images: _Images) -> SeedScores:
    means = (fmean(getattr(scores, name) for scores in images.values()) for name in SCORED)
    return SeedScores(seed, *means)


def _difference(
    own: Mapping[int, _Images], first: Mapping[int, _Images], seeds: Sequence[int], measure: str
) -> Interval | None:
    if not seeds:
        return None
    names = sorted(own[seeds[0]].keys())

    def means(of: Mapping[int, _Images]) -> list[float]:
        return [fmean(getattr(of[seed][name], measure) for seed in seeds) for name in names]

    return paired_bootstrap(means(own), means(first))


def _why_not(row: AblationRow, trainings: int, request: AblationRequest) -> str:
    if request.data is None or trainings == request.seeds:
        return ""
    if not trainings and too_large(row.macs, request.device):
        return f"more than {LARGE_MACS / 1e9:.0f} G MACs: trained on a GPU only"
    return _NOT_RUN if not trainings else f"{trainings} of {request.seeds} trainings"


def _protocol(request: AblationRequest) -> str:
    """What the numbers mean: in the file, so that a copy of the table cannot lose it."""
    side = f"{request.side} × {request.side}"
    said = [f"Images of {side}."]
    if request.runs:
        said += [
            f"ms: one image on one thread, median of {request.runs} rounds, all networks in turn,",
            f"on {platform.machine()}, {os.cpu_count()} CPU cores; exported to ONNX Runtime as",
            "they are: the published SINet, too, is not rewritten.",
        ]
    if request.data is not None:
        number = "one training" if request.seeds == 1 else f"{request.seeds} trainings"
        said += [
            f"Of each row {number} of {request.epochs} epochs from random weights, by its",
            "network's portrait recipe unless its line says another, on the split `train` of",
            f"{request.data.name}, scored on `val`: native IoU at the size of each image; IoU, the",
            "SINet authors' metric, and boundary F1 at 224 × 224. Differences in points with their",
            "95 % interval over the images (paired bootstrap), which knows nothing of other seeds.",
        ]
    if request.data is not None and request.seeds > 1:
        said.append("In brackets after a mean: the lowest and the highest of the trainings.")
    said.append("Published figures are of other data, sizes and trainings.")
    return " ".join(said)
