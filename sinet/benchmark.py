"""Measure networks side by side: latency, memory, and scores after the same training."""

import contextlib
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from sinet.checkpoint import Model, load_checkpoint, load_model
from sinet.convert.converting import to_export
from sinet.convert.writing import onnx_model
from sinet.data import evaluation_samples, training_samples
from sinet.data.scenes import same_classes
from sinet.errors import ConfigError, DataError
from sinet.evaluate import Evaluation, evaluate
from sinet.models import ListedNetwork, cost
from sinet.network_ref import NetworkKind, NetworkRef
from sinet.networks import build_network
from sinet.networks.options import Option
from sinet.normalisation import InputSpec
from sinet.onnx.model import OnnxModel
from sinet.predict import PersonModel
from sinet.run_files import CONFIG_FILE, RESUME_FILE
from sinet.training import TrainingConfig, default_recipe, load_config, train
from sinet.training.compiling import settled
from sinet.training.run import Progress

THREADS: Final = (1, 2)
LARGE_MACS: Final = 2_000_000_000
"""Networks of more multiply-accumulates are trained on a GPU only."""

T = TypeVar("T")

_WARM_UP: Final = 3
_SIDE_MULTIPLE: Final = 32
"""What the network needs that needs the most."""
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Speed:
    """What one image of the input size costs.

    Attributes:
        eager_ms: in PyTorch, median, by the number of threads; empty for a file in ONNX.
        exported_ms: in ONNX Runtime, likewise; a SINet is rewritten for speed, as `convert` does.
        exported_bytes: size of what is exported, or of the file in ONNX.
        memory_mb: by which the peak memory of a process grows when it builds the network and runs
            it in PyTorch, a file in ONNX in ONNX Runtime.
    """

    eager_ms: dict[int, float]
    exported_ms: dict[int, float]
    exported_bytes: int
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Trained:
    """Scores on the split `val` after training, or as a network was given; each 0..1.

    Attributes:
        native_iou: at the size of each image.
        iou: the authors' metric, at 224 × 224.
        boundary_f1: at 224 × 224.
    """

    native_iou: float
    iou: float
    boundary_f1: float


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A training that a network is scored by.

    Attributes:
        network: its name.
        recipe: empty: the network's portrait recipe.
        options: of the network.
        losses: weights that differ from the recipe's.
        seed: of everything that chance decides; None: the recipe's.
        data: folder of the data set.
        epochs: early smaller images included; half of them are the encoder's where the recipe
            trains it first.
        side: of the square images.
        out: folder of the run; one that was begun there goes on.
        device: `cpu`, `cuda` or `auto`.
    """

    network: str
    recipe: str = ""
    options: Mapping[str, Option]
    losses: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None
    data: Path
    epochs: int
    side: int
    out: Path
    device: str = "auto"

    def configuration(self) -> TrainingConfig:
        """Return the recipe with these changes.

        Raises:
            ConfigError: they contradict each other.
            NetworkError: no such network or option.
        """
        recipe = self.recipe or default_recipe(self.network)
        published = load_config(recipe, {"model": self.network})
        losses = {**published.losses.model_dump(), **self.losses} if self.losses else None
        first = self.epochs // 2 if published.encoder_epochs else 0
        early = min(160, self.side) if published.early_side_px else None
        config = load_config(
            recipe,
            {
                "model": self.network,
                "options": dict(self.options),
                "losses": losses,
                "epochs": self.epochs - first,
                "encoder_epochs": first,
                "input": {"height": self.side, "width": self.side},
                "early_side_px": early,
                "seed": self.seed,
            },
        )
        # Nothing is held out to choose an epoch by: `val` is what the last one is scored on.
        return config.model_copy(update={"best_after": None})


@dataclass(frozen=True, slots=True)
class Row:
    """A network of the table.

    Attributes:
        network: as listed, or a file or name with weights.
        input: height and width of an image.
        speed: of it.
        trained: its scores; None: it was not trained, or there is nothing to score it on.
    """

    network: ListedNetwork
    input: tuple[int, int]
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
    build = partial(_random_model, network.name, options_of(network), side)
    return _in_a_process(_speed_here, build, rounds)


def measure_given(
    network: NetworkRef, model: PersonModel, data: Path | None, rounds: int
) -> tuple[Row, str | None]:
    """Measure a network that has its weights, at its own input size; nothing is trained.

    Args:
        network: a checkpoint or an exported network.
        model: the same, loaded.
        data: folder of the data set it is scored on; None: it is not.
        rounds: timed runs of each kind.

    Returns:
        Its row, and the split that it was scored on.

    Raises:
        DataError: the data set cannot be read.
    """
    found = cost(model)
    source, licence = str(NetworkKind.ONNX), "not known"
    if isinstance(model, OnnxModel):
        probe = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
        speed = _in_a_process(_speed_of_file_here, model.path, model.input.feed(probe), rounds)
    else:
        assert isinstance(model, Model)  # of a kind that the caller let in
        source, licence = model.network.source, model.network.licence
        speed = _in_a_process(_speed_here, partial(load_model, network), rounds)
    listed = ListedNetwork(
        network.label, None, found.parameters, found.macs, source=source, licence=licence
    )
    split, trained = None, None
    if data is not None:
        split, samples = evaluation_samples(data, None)
        trained = mean_scores(evaluate(model, samples))
    return Row(listed, (model.input.height, model.input.width), speed, trained), split


def _in_a_process(measure: Callable[..., T], *arguments: object) -> T:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measure, *arguments).result()


def mean_scores(found: Evaluation) -> Trained:
    """Return of an evaluation what a table shows."""
    return Trained(found.mean.native_iou, found.mean.iou, found.mean.boundary_f1)


def measure_scores(
    trial: Trial, macs: int | None, progress: Progress | None = None
) -> Evaluation | None:
    """Train a network by its portrait recipe, and score it on `val`.

    Args:
        trial: what to train; None is returned for a large network without a GPU.
        macs: of the network.
        progress: told of every epoch.

    Raises:
        DataError: the data set cannot be read.
        ConfigError: the folder holds another run.
    """
    if too_large(macs, trial.device):
        return None
    config, out = trial.configuration(), trial.out
    samples = training_samples(trial.data)
    if same_classes(samples) is not None:
        raise DataError(f"{trial.data}: of many classes; networks are compared on portraits.")
    _, held_out = evaluation_samples(trial.data, "val")  # now, not after hours
    resume = (out / RESUME_FILE).is_file()
    config = _as_begun(config, out) if resume else settled(config, len(samples), trial.device)
    weights = train(config, samples, out, resume=resume, device=trial.device, progress=progress)
    return evaluate(load_checkpoint(weights), held_out)


def check_side(side: int) -> None:
    """Refuse a side of square images that not every network takes.

    Raises:
        ConfigError: it is none.
    """
    if side < _SIDE_MULTIPLE or side % _SIDE_MULTIPLE:
        raise ConfigError(f"--side is {side}: a multiple of {_SIDE_MULTIPLE} is needed.")


def too_large(macs: int | None, device: str) -> bool:
    """Whether a network would take too long to train where there is no GPU."""
    has_gpu = device != "cpu" and torch.cuda.is_available()
    return not has_gpu and (macs or 0) > LARGE_MACS


def interleaved_ms(
    networks: Sequence[tuple[str, Mapping[str, Option]]], side: int, rounds: int
) -> list[tuple[float, float]]:
    """Time networks of random weights in turn, so that whatever else runs slows all alike.

    Exported as they are: a SINet is not rewritten, since only the published one can be.

    Args:
        networks: name and options of each.
        side: of the square image.
        rounds: in each of which every network runs once.

    Returns:
        Of each the median milliseconds of an image on one thread, in PyTorch and exported.
    """
    return _in_a_process(_interleaved_here, networks, side, rounds)


def _interleaved_here(
    networks: Sequence[tuple[str, Mapping[str, Option]]], side: int, rounds: int
) -> list[tuple[float, float]]:
    torch.set_num_threads(1)
    image = torch.rand(1, 3, side, side)
    runs: list[Callable[[], object]] = []
    for name, options in networks:
        model = _random_model(name, options, side)
        exported = onnx_model(*to_export(model, fold=False)).SerializeToString()
        runs += [partial(model.network, image), _exported_run(exported, image.numpy(), 1)]
    with torch.inference_mode():
        found = _medians_ms(runs, rounds)
    return list(zip(found[::2], found[1::2], strict=True))


def _as_begun(config: TrainingConfig, out: Path) -> TrainingConfig:
    """Compiled or not as the run was begun, maybe on another machine; the rest decides it."""
    begun = TrainingConfig.model_validate_json((out / CONFIG_FILE).read_text())
    return config.model_copy(update={"compile": begun.compile})


def _random_model(name: str, options: Mapping[str, Any], side: int) -> Model:
    torch.manual_seed(0)
    return Model(build_network(name, 2, options).eval(), InputSpec(height=side, width=side))


def _speed_here(build: Callable[[], Model], rounds: int) -> Speed:
    _forget_peak()
    before = _peak_mb()
    model = build()
    image = torch.rand(1, 3, model.input.height, model.input.width)
    eager = {}
    with torch.inference_mode():
        for threads in THREADS:
            torch.set_num_threads(threads)
            eager[threads] = _median_ms(lambda: model.network(image), rounds)
    memory = _peak_mb() - before
    exported = onnx_model(*to_export(model, fold=True)).SerializeToString()
    return Speed(eager, _exported_ms(exported, image.numpy(), rounds), len(exported), memory)


def _speed_of_file_here(path: Path, image: npt.NDArray[Any], rounds: int) -> Speed:
    import onnxruntime  # noqa: F401 - its own size is nobody's memory

    _forget_peak()
    before = _peak_mb()
    exported = _exported_ms(str(path), image, rounds)
    return Speed({}, exported, path.stat().st_size, _peak_mb() - before)


def _exported_ms(network: bytes | str, image: npt.NDArray[Any], rounds: int) -> dict[int, float]:
    runs = {threads: _exported_run(network, image, threads) for threads in THREADS}
    return {threads: _median_ms(run, rounds) for threads, run in runs.items()}


def _exported_run(
    network: bytes | str, image: npt.NDArray[Any], threads: int
) -> Callable[[], object]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(network, settings, ["CPUExecutionProvider"])
    return partial(session.run, None, {session.get_inputs()[0].name: image})


def _median_ms(run: Callable[[], object], rounds: int) -> float:
    return _medians_ms([run], rounds)[0]


def _medians_ms(runs: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Time each once a round, one after the other."""
    seconds: list[list[float]] = [[] for _ in runs]
    for number in range(_WARM_UP + rounds):
        for run, taken in zip(runs, seconds, strict=True):
            began = time.perf_counter()
            run()
            if number >= _WARM_UP:
                taken.append(time.perf_counter() - began)
    return [1e3 * statistics.median(taken) for taken in seconds]


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
