"""Networks measured side by side: rows one by one, then the table and the plot."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2

from pipelines.networks import load_person_model
from pipelines.networks.names import CURRENT, MEDIAPIPE
from pipelines.workspace.errors import ModelError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.settings import TeacherSettings
from sinet.benchmark import (
    Row,
    Trial,
    check_side,
    mean_scores,
    measure_given,
    measure_scores,
    measure_speed,
    options_of,
)
from sinet.errors import SINetError
from sinet.json_text import to_json
from sinet.models import ListedNetwork, list_networks
from sinet.network_ref import TRAINABLE, NetworkKind, NetworkRef
from sinet.networks import network_class
from sinet.predict import PersonModel
from sinet.training import EpochRecord

TABLE_FILE = "models.md"
PLOT_FILE = "models.png"
ROWS_FILE = "models.json"
_NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """What to compare.

    Attributes:
        models: names of networks to train; none: all, or, where networks are given, none.
        networks: given ones, resolved: checkpoints and exported networks, measured as they are.
        data: folder of the data set; None: nothing is trained or scored.
        epochs: of every training.
        side: of the images, in pixels; a multiple of 32.
        runs: timed runs of each kind.
        out: folder of the results.
        device: that trains: `auto`, `cpu` or `cuda`.
        teacher: of the workspace; its `[teacher.onnx]` says how that network is fed, here, too.
    """

    models: Sequence[str] = ()
    networks: Sequence[NetworkRef] = ()
    data: Path | None = None
    epochs: int = 20
    side: int = 224
    runs: int = 20
    out: Path = Path("bench")
    device: str = "auto"
    teacher: TeacherSettings = field(default_factory=TeacherSettings)


@dataclass(frozen=True)
class Benched:
    """What came out.

    Attributes:
        protocol: what the numbers mean, in words.
        rows: a network each.
        table: the same in Markdown, a line a network.
        files: table, numbers and, if something was trained, a plot.
    """

    protocol: str
    rows: list[Row]
    table: str
    files: list[Path]


def bench_networks(request: BenchRequest, progress: Progress = SILENT) -> Benched:
    """Measure networks side by side, and write table, numbers and plot.

    Raises:
        SINetError: no such network, a side that does not suit, or data that cannot be read.
        ModelError: a given network cannot be had, or is of a kind that cannot be timed.
    """
    for name in request.models:
        network_class(name)
    given = [(each, _loaded(each, request)) for each in request.networks]
    check_side(request.side)
    is_asked = request.models or not given
    listed = list_networks(request.side, request.models) if is_asked else []
    request.out.mkdir(parents=True, exist_ok=True)
    # OpenCV's threads and the processes that augment, forked from this one, do not mix.
    cv2.setNumThreads(0)
    rows = []
    for each in listed:
        if each.parameters is None:
            progress.say(f"{_label(each)}: left out, a package that it needs is not installed")
            continue
        progress.say(f"{_label(each)} …")
        rows.append(_measure(each, request, progress))
    split = None
    for network, model in given:
        progress.say(f"{network.label} …")
        row, split = measure_given(network, model, request.data, request.runs)
        rows.append(row)
    protocol = _protocol(request, is_asked=bool(listed), split=split)
    table = markdown(rows)
    files = [request.out / TABLE_FILE, request.out / ROWS_FILE]
    files[0].write_text(f"{protocol}\n\n{table}")
    found = {"protocol": protocol, "rows": [asdict(row) for row in rows]}
    files[1].write_text(to_json(found, indent=2) + "\n")
    if any(row.trained for row in rows):
        files.append(request.out / PLOT_FILE)
        _plot(rows, files[-1])
    return Benched(protocol, rows, table, files)


def markdown(rows: Sequence[Row]) -> str:
    """Return the table, a line a network."""
    titles = (
        "network",
        "parameters",
        "MACs (M)",
        "input",
        "exported (kB)",
        "eager ms, 1 / 2 threads",
        "exported ms, 1 / 2 threads",
        "memory (MB)",
        "native IoU",
        "IoU",
        "boundary F1",
    )
    lines = [titles, ("---", *["---:"] * (len(titles) - 1))]
    for row in rows:
        speed, trained, macs = row.speed, row.trained, row.network.macs
        lines.append(
            (
                _label(row.network),
                f"{row.network.parameters:,}",
                _NOTHING if macs is None else f"{macs / 1e6:,.1f}",
                " × ".join(map(str, row.input[::-1])),
                f"{speed.exported_bytes / 1e3:,.0f}",
                " / ".join(f"{value:.1f}" for value in speed.eager_ms.values()) or _NOTHING,
                " / ".join(f"{value:.1f}" for value in speed.exported_ms.values()),
                f"{speed.memory_mb:.0f}",
                _NOTHING if trained is None else f"{trained.native_iou:.4f}",
                _NOTHING if trained is None else f"{trained.iou:.4f}",
                _NOTHING if trained is None else f"{trained.boundary_f1:.4f}",
            )
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _measure(network: ListedNetwork, request: BenchRequest, progress: Progress) -> Row:
    trained = None
    if request.data is not None:
        run = request.out / "runs" / _label(network).replace(", ", "-")
        progress.begin(f"training {_label(network)}", request.epochs)

        def told(record: EpochRecord, _total: int) -> None:
            progress.advance(1, f"loss {record.loss:.4f}")

        trial = Trial(
            network=network.name,
            options=options_of(network),
            data=request.data,
            epochs=request.epochs,
            side=request.side,
            out=run,
            device=request.device,
        )
        found = measure_scores(trial, network.macs, told)
        trained = None if found is None else mean_scores(found)
    speed = measure_speed(network, request.side, request.runs)
    return Row(network, (request.side, request.side), speed, trained)


def _loaded(network: NetworkRef, request: BenchRequest) -> PersonModel:
    """A given network.

    Raises:
        ModelError: it cannot be had, or is of a kind that cannot be timed.
    """
    try:
        network.must_be({*TRAINABLE, NetworkKind.ONNX}, "bench", names=(CURRENT, MEDIAPIPE))
    except SINetError as error:
        raise ModelError(str(error)) from error
    return load_person_model(network, device="cpu", settings=request.teacher)


def _protocol(request: BenchRequest, *, is_asked: bool, split: str | None) -> str:
    """What the numbers mean: in the file, so that a copy of the table cannot lose it."""
    how = (
        f"One image at a time, median of {request.runs} runs on {platform.machine()}, "
        f"{os.cpu_count()} CPU cores; exported to ONNX Runtime; memory: growth of a process's peak "
        "in PyTorch, of a file in ONNX in ONNX Runtime."
    )
    said = [how]
    if is_asked and request.data is None:
        said.append("Nothing was trained.")
    elif is_asked and request.data is not None:
        said.append(
            f"Trained for {request.epochs} epochs from random weights by each network's portrait "
            f"recipe, on the split `train` of {request.data.name}, scored on `val`; of those with "
            "a – there, the training would take too long without a GPU."
        )
    if request.networks:
        labels = ", ".join(each.label for each in request.networks)
        scored = f", scored on `{split}` of {request.data.name}" if request.data else ""
        said.append(f"As they are, at the size of their own input: {labels}{scored}.")
    if request.data is not None:
        said.append(
            "Native IoU is at the size of each image; IoU, the SINet authors' metric, and boundary "
            "F1 at 224 × 224."
        )
    return " ".join(said)


def _plot(rows: Sequence[Row], path: Path) -> None:
    """Native IoU against latency; a dot's area grows with the root of the number of parameters."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = pyplot.subplots(figsize=(8, 4.6), dpi=120)
    for row in rows:
        if row.trained is None:
            continue
        x, y = row.speed.exported_ms[1], 100 * row.trained.native_iou
        size = (row.network.parameters or 0) ** 0.5
        axes.scatter(x, y, s=size / 2, color="#3b6ea5", alpha=0.45, linewidth=0)
        axes.scatter(x, y, s=6, color="#3b6ea5")
        # Beside the dot, whose radius in points is the root of its area over pi.
        beside = 4 + (size / 2 / 3.14) ** 0.5
        label = f"{_label(row.network)}\n{_short(row.network.parameters or 0)}"
        axes.annotate(
            label, (x, y), xytext=(beside, 0), textcoords="offset points", fontsize=8, va="center"
        )
    axes.set(xscale="log", xlabel="ms an image, exported, one thread", ylabel="native IoU, %")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.16, 0.12)
    axes.grid(alpha=0.25, linewidth=0.5, which="both")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def _short(number: int) -> str:
    """A number of parameters for a picture: `86.9 K`, `2.08 M`."""
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number / 1e3:.1f} K"


def _label(network: ListedNetwork) -> str:
    return network.name if network.backbone is None else f"{network.name}, {network.backbone}"
