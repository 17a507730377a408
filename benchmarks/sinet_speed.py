"""How fast SINet runs and trains, as ratios to its plain form measured in the same run.

    python benchmarks/sinet_speed.py [--checkpoint NAME] [--shared DIR] [--parts latency training]
                               [--pause PGID …]

Latency: one thread, one image of 224×224, forms taking turns, so that other work on the machine
slows all of them alike. Times are CPU time: on a busy machine the clock on the wall also counts
what others compute (`wall` is its minimum). The base is eager mode: contiguous, float32,
`eval`, `inference_mode`, with zeros for denormal weights, without which some checkpoints, as the
authors', take 1.6 times as long. Masks are compared with its masks, over the pixels
of 40 images of `data/eg1800/val.txt` under --shared, or of skimage's photographs without.

Training: images/s, loader and augmentation included, of the whole network's stage.

`--pause` stops process groups (of trainings in the background) while something is timed.
"""

import argparse
import contextlib
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from numpy.typing import NDArray

from sinet import SINet
from sinet.checkpoint import Model, load_model
from sinet.convert import FoldedSINet, convert, open_converted
from sinet.convert.running import Infer
from sinet.convert.verifying import images_of
from sinet.convert.writing import Format
from sinet.data import find_samples, read_image
from sinet.data.batches import AugmentedSamples, Batches
from sinet.data.reading import PixelCache
from sinet.metrics import Counts
from sinet.network_ref import as_ref
from sinet.training import EpochRecord, TrainingConfig, train

Planes = NDArray[np.float32]
Mask = NDArray[np.bool_]
Form = Callable[[Planes], Mask]
"""From float32 (1, 3, 224, 224) to the person's mask, bool (224, 224)."""

BASE = "eager"


@contextlib.contextmanager
def paused(groups: list[int]) -> Iterator[None]:
    """Stop process groups, and let them go on whatever happens."""
    try:
        for group in groups:
            os.killpg(group, signal.SIGSTOP)
        yield
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)


def mask_of(output: Planes) -> Mask:
    """Turn one logit, or two, into a mask."""
    logits = output[0]
    mask: Mask = logits[0] > 0 if len(logits) == 1 else logits[1] > logits[0]
    return mask


def eager(network: torch.nn.Module, memory_format: torch.memory_format) -> Form:
    """Run in PyTorch."""
    network = network.eval().to(memory_format=memory_format)

    def run(planes: Planes) -> Mask:
        with torch.inference_mode():
            images = torch.from_numpy(planes).contiguous(memory_format=memory_format)
            return mask_of(network(images).numpy())

    return run


def converted(infer: Infer) -> Form:
    """Run a converted file."""
    return lambda planes: mask_of(infer(planes))


def without_denormals(model: Model) -> SINet:
    """Copy a network with zeros for weights that are denormal numbers, or nearly."""
    network = SINet()
    state = model.network.state_dict()
    network.load_state_dict(
        {
            name: torch.where(value.abs() < 1e-30, 0, value) if value.is_floating_point() else value
            for name, value in state.items()
        }
    )
    return network


def forms_of(
    checkpoint: Path, model: Model, folder: Path, calibration: Path | None, compiled: bool
) -> dict[str, tuple[Form, int]]:
    """Return every form with the size of its file in bytes."""
    size = checkpoint.stat().st_size
    contiguous, last = torch.contiguous_format, torch.channels_last
    clean = without_denormals(model)
    assert isinstance(model.network, SINet), "the forms are SINet's"
    folded = FoldedSINet(model.network, model.input.height, model.input.width)
    forms = {
        BASE: (eager(clean, contiguous), size),
        "eager, weights as they are": (eager(model.network, contiguous), size),
        "eager, channels-last": (eager(without_denormals(model), last), size),
        "eager, folded": (eager(folded, contiguous), size),
    }
    if compiled:
        faster = torch.compile(folded)
        assert isinstance(faster, torch.nn.Module)  # as what is compiled
        forms["torch.compile, folded"] = (eager(faster, contiguous), size)
    plans: list[tuple[str, Format, dict[str, Any]]] = [
        ("ONNX Runtime, plain", "onnx", {"fold": False}),
        ("ONNX Runtime, folded", "onnx", {}),
        ("torch.export, folded", "torch-export", {}),
        ("OpenVINO, plain", "openvino", {"fold": False}),
        ("OpenVINO, folded", "openvino", {}),
    ]
    if calibration is not None:
        int8 = {"int8": True, "calibration": calibration}
        plans += [("ONNX Runtime, INT8", "onnx", int8), ("OpenVINO, INT8", "openvino", int8)]
    suffixes = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2"}
    for number, (name, to, options) in enumerate(plans):
        out = folder / f"{number}{suffixes[to]}"
        written = convert(checkpoint, out, to, **options)
        forms[name] = (converted(open_converted(out).infer), written.size_bytes)
        if name == "OpenVINO, folded":
            forms |= bfloat16_form(out, written.size_bytes)
    return forms


def bfloat16_form(path: Path, size: int) -> dict[str, tuple[Form, int]]:
    """Return an OpenVINO file run in bfloat16, if the processor can."""
    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return {}
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "bf16"}
    request = core.compile_model(path, "CPU", settings).create_infer_request()
    form = (lambda planes: mask_of(request.infer([planes])[0]), size)
    return {"OpenVINO, folded, bfloat16": form}


def measure_latency(
    forms: dict[str, tuple[Form, int]], planes: list[Planes], groups: list[int], rounds: int
) -> None:
    """Time all forms in turns and print a table."""
    for form, _ in forms.values():
        for _ in range(3):
            form(planes[0])
    cpu: dict[str, list[float]] = {name: [] for name in forms}
    wall: dict[str, list[float]] = {name: [] for name in forms}
    with paused(groups):
        for _ in range(rounds):
            for name, (form, _) in forms.items():
                for image in planes[:4]:
                    began, used = time.perf_counter(), time.process_time()
                    form(image)
                    cpu[name].append((time.process_time() - used) * 1e3)
                    wall[name].append((time.perf_counter() - began) * 1e3)
    masks = {name: [form(image) for image in planes] for name, (form, _) in forms.items()}
    print(f"{len(planes)} images for the masks; {rounds * 4} timed runs of each form")
    print(f"{'form':28} {'ms':>7} {'min':>7} {'wall':>7} {'faster':>7} {'mask IoU':>9} {'kB':>7}")
    base = statistics.median(cpu[BASE])
    for name, (_, size) in forms.items():
        counts = [
            Counts.of(found, truth) for found, truth in zip(masks[name], masks[BASE], strict=True)
        ]
        union = sum(each.hits + each.false_alarms + each.misses for each in counts)
        iou = sum(each.hits for each in counts) / union if union else 1.0
        middle = statistics.median(cpu[name])
        print(
            f"{name:28} {middle:7.2f} {min(cpu[name]):7.2f} {min(wall[name]):7.2f} "
            f"{base / middle:6.2f}x {iou:9.5f} {size / 1e3:7.0f}"
        )


def measure_training(folder: Path, groups: list[int], count: int) -> None:
    """Time epochs of two trainings and of the loader alone; print images/s and ratios."""
    samples = find_samples(folder, "train")[:count]
    forms = {
        "plain loop": {"channels_last": False, "compile": False, "workers": 0},
        "channels-last, 1 worker": {"channels_last": True, "compile": False, "workers": 1},
        "ours (compiled, 1 worker)": {"channels_last": False, "compile": True, "workers": 1},
    }
    print(
        f"training on {len(samples)} images, batch 24, 1 thread; best of the later epochs",
        flush=True,
    )
    rates: dict[str, float] = {}
    for name, options in forms.items():
        config = TrainingConfig(encoder_epochs=0, epochs=3, threads=1, **options)
        seen: list[float] = []
        with tempfile.TemporaryDirectory() as out, paused(groups):

            def note(record: EpochRecord, _: int, seen: list[float] = seen) -> None:
                seen.append(record.images_per_second)

            train(config, samples, Path(out) / "run", progress=note)
        rates[name] = max(seen[1:])  # the first epoch also compiles and fills the cache
        print(
            f"{name:28} {rates[name]:7.1f} images/s {rates[name] / rates['plain loop']:6.2f}x",
            flush=True,
        )
    config = TrainingConfig()
    cache = PixelCache(samples, config.cache_px, None)
    batches = Batches(AugmentedSamples(cache, config.augmentation, 0), 24, 0, workers=1)
    loaded = []
    for epoch in range(3):
        with paused(groups):
            began = time.perf_counter()
            images = sum(len(batch.names) for batch in batches.epoch(epoch, 224))
            loaded.append(images / (time.perf_counter() - began))
    best = max(rates.values())
    print(f"{'loader, 1 worker':28} {max(loaded):7.1f} images/s {max(loaded) / best:6.2f}x of best")


def calibration_images(eg1800: Path, folder: Path) -> Path:
    """Link some training images, none of those that masks are compared on."""
    folder.mkdir()
    for sample in find_samples(eg1800, "train")[:100]:
        assert isinstance(sample.image, Path)  # EG1800 is a folder
        (folder / sample.image.name).symlink_to(sample.image.absolute())
    return folder


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="sinet:bundled", help="default sinet:bundled")
    parser.add_argument("--shared", type=Path, help="folder with data/eg1800")
    parser.add_argument("--parts", nargs="+", default=["latency"], choices=["latency", "training"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=120, help="for the training part")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too (minutes)")
    parser.add_argument("--pause", type=int, nargs="*", default=[], metavar="PGID")
    options = parser.parse_args()
    torch.set_num_threads(1)
    eg1800 = options.shared / "data" / "eg1800" if options.shared else None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint = as_ref(options.checkpoint).weights()
        if "latency" in options.parts:
            model = load_model(checkpoint)
            pictures = images_of(None)
            if eg1800 is not None:
                samples = find_samples(eg1800, "val")[:40]
                pictures = [read_image(sample.image) for sample in samples]
            planes = [model.input.prepare(picture).numpy() for picture in pictures]
            calibration = calibration_images(eg1800, folder / "calibration") if eg1800 else None
            forms = forms_of(checkpoint, model, folder, calibration, options.compile)
            measure_latency(forms, planes, options.pause, options.rounds)
            if "OpenVINO, folded, bfloat16" not in forms:
                print("bfloat16: not timed, this processor does not compute in it")
    if "training" in options.parts:
        if eg1800 is None:
            raise SystemExit("--parts training needs --shared")
        measure_training(eg1800, options.pause, options.images)


if __name__ == "__main__":
    main()
