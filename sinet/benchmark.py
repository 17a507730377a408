"""Measure networks side by side: latency, memory, and scores after the same training."""

import contextlib
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import torch

from sinet.checkpoint import Model, load_checkpoint
from sinet.convert.converting import to_export
from sinet.convert.writing import onnx_model
from sinet.data import evaluation_samples, training_samples
from sinet.evaluate import evaluate
from sinet.models import ListedNetwork
from sinet.networks import build_network
from sinet.normalisation import InputSpec
from sinet.run_files import CONFIG_FILE, RESUME_FILE
from sinet.training import TrainingConfig, default_recipe, load_config, train
from sinet.training.compiling import settled
from sinet.training.run import Progress

THREADS: Final = (1, 2)
LARGE_MACS: Final = 2_000_000_000
"""Networks of more multiply-accumulates are trained on a GPU only."""

_WARM_UP: Final = 3
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Speed:
    """What one image of the input size costs.

    Attributes:
        eager_ms: in PyTorch, median, by the number of threads.
        exported_ms: in ONNX Runtime, likewise; a SINet is rewritten for speed, as `convert` does.
        memory_mb: by which the peak memory of a process grows when it builds the network and runs
            it in PyTorch.
    """

    eager_ms: dict[int, float]
    exported_ms: dict[int, float]
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Trained:
    """Scores on the split `val` after training, both 0..1 and at 224 × 224."""

    iou: float
    boundary_f1: float


@dataclass(frozen=True, slots=True)
class Row:
    """A network of the table.

    Attributes:
        network: as listed.
        speed: of it.
        trained: its scores; None: it was not trained.
    """

    network: ListedNetwork
    speed: Speed
    trained: Trained | None


def options_of(network: ListedNetwork) -> dict[str, str | int | bool]:
    """Return the options that build a listed network."""
    return {} if network.backbone is None else {"backbone": network.backbone}


def measure_speed(network: ListedNetwork, side: int, rounds: int) -> Speed:
    """Time a network of random weights in a process of its own, so that memory is its own too.

    Args:
        network: to measure.
        side: of the square image.
        rounds: timed runs of each kind.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_speed_here, network.name, options_of(network), side, rounds).result()


def measure_scores(
    network: ListedNetwork,
    data: Path,
    epochs: int,
    side: int,
    out: Path,
    device: str,
    progress: Progress | None = None,
) -> Trained | None:
    """Train a network by its portrait recipe for so many epochs, and score it on `val`.

    Args:
        network: to train; None is returned for a large one without a GPU.
        data: folder of the data set.
        epochs: of its training, early smaller images included.
        side: of the square images.
        out: folder of the run; one that was begun there goes on.
        device: `cpu`, `cuda` or `auto`.
        progress: told of every epoch.

    Raises:
        DataError: the data set cannot be read.
    """
    has_gpu = device != "cpu" and torch.cuda.is_available()
    if not has_gpu and (network.macs or 0) > LARGE_MACS:
        return None
    config = load_config(
        default_recipe(network.name),
        {
            "model": network.name,
            "options": options_of(network),
            "epochs": epochs,
            "encoder_epochs": 0,
            "input": {"height": side, "width": side},
            "early_side_px": min(160, side),
        },
    )
    samples = training_samples(data)
    resume = (out / RESUME_FILE).is_file()
    config = _as_begun(config, out) if resume else settled(config, len(samples), device)
    weights = train(config, samples, out, resume=resume, device=device, progress=progress)
    _, held_out = evaluation_samples(data, None)
    mean = evaluate(load_checkpoint(weights), held_out).mean
    return Trained(mean.iou, mean.boundary_f1)


def _as_begun(config: TrainingConfig, out: Path) -> TrainingConfig:
    """Compiled or not as the run was begun, maybe on another machine; the rest decides it."""
    begun = TrainingConfig.model_validate_json((out / CONFIG_FILE).read_text())
    return config.model_copy(update={"compile": begun.compile})


def _speed_here(name: str, options: Mapping[str, Any], side: int, rounds: int) -> Speed:
    import onnxruntime

    _forget_peak()
    before = _peak_mb()
    torch.manual_seed(0)
    network = build_network(name, 2, options).eval()
    image = torch.rand(1, 3, side, side)
    eager = {}
    with torch.inference_mode():
        for threads in THREADS:
            torch.set_num_threads(threads)
            eager[threads] = _median_ms(lambda: network(image), rounds)
    memory = _peak_mb() - before
    model = Model(network, InputSpec(height=side, width=side))
    exported = onnx_model(*to_export(model, fold=True)).SerializeToString()
    onnx = {}
    for threads in THREADS:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(exported, settings, ["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: image.numpy()}
        onnx[threads] = _median_ms(partial(session.run, None, feed), rounds)
    return Speed(eager, onnx, memory)


def _median_ms(run: Callable[[], object], rounds: int) -> float:
    for _ in range(_WARM_UP):
        run()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return 1e3 * statistics.median(seconds)


def _peak_mb() -> float:
    """Peak memory of this process so far, in MiB."""
    if _STATUS.exists():
        # Of this program alone; `getrusage` also counts what the process was before it started.
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / (1 << 10)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / (1 << 10)


def _forget_peak() -> None:
    """Let the peak begin anew at what is used now, where the system can."""
    with contextlib.suppress(OSError):
        _STATUS.with_name("clear_refs").write_text("5")
