"""From a checkpoint to a checked file for another runtime."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from torch import nn

from sinet.checkpoint import Model, load_model
from sinet.convert.core_ml import import_coremltools, write_core_ml
from sinet.convert.description import Description
from sinet.convert.folding import FoldedSINet
from sinet.convert.pixels import with_pixels
from sinet.convert.problems import ConversionError, first_line
from sinet.convert.quantising import quantised
from sinet.convert.running import open_converted
from sinet.convert.tensorflow_lite import check_converter, write_tflite
from sinet.convert.verifying import Agreement, compare, demand, images_of
from sinet.convert.writing import (
    PIXELS_IN,
    SUFFIXES,
    Format,
    import_openvino,
    onnx_model,
    write_onnx,
    write_openvino,
    write_torch_export,
)
from sinet.errors import SINetError
from sinet.network_ref import NetworkRef
from sinet.networks.sinet import SIDE_MULTIPLE, SINet


@dataclass(frozen=True, slots=True)
class Conversion:
    """A written file.

    Attributes:
        path: of it; for OpenVINO of the `.xml`, beside which lies a `.bin`; Core ML's is a folder.
        size_bytes: of all that was written.
        folded: whether it is a SINet rewritten for speed.
        parameters: of the network it was made of.
        agreement: with the PyTorch network, on the check images.
    """

    path: Path
    size_bytes: int
    folded: bool
    parameters: int
    agreement: Agreement


def convert(
    checkpoint: NetworkRef | Path | str,
    out: Path | str,
    to: Format = "onnx",
    *,
    int8: bool = False,
    calibration: Path | str | None = None,
    check_images: Path | str | None = None,
    fold: bool = True,
) -> Conversion:
    """Convert a checkpoint for images of its input size, one at a time.

    The file is compared with PyTorch on real images before it is moved to `out`. A SINet of two
    classes becomes a `FoldedSINet`, whose single output channel takes a sigmoid; other networks
    are exported as they are, and so is a SINet for INT8 and for `onnx-web`: in WebAssembly ONNX
    Runtime has a kernel for depthwise 3×3 convolutions, and the folded form costs half as much
    again. A file's metadata holds the normalisation; files of `PIXELS_IN` need none.

    Args:
        checkpoint: ours, or the SINet authors' `.pth`; as for `load_model`.
        out: file to write, `.onnx`, `.xml` (OpenVINO, with a `.bin` beside it), `.pt2`, `.tflite`,
            or folder, `.mlpackage`.
        to: the format.
        int8: compute in 8 bits; for ONNX and OpenVINO.
        calibration: folder of images, like those to come, that INT8 takes its ranges from.
        check_images: folder of images to compare on; None: those of the calibration, or three
            photographs of scikit-image.
        fold: False exports a SINet, too, as it is.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        DataError: an image cannot be read.
        ConversionError: options that contradict each other, `out` exists or cannot be written,
            the runtime is missing or fails, or the result differs from PyTorch's. No file is left.
    """
    out = Path(out)
    _check_options(out, to, int8, calibration)
    model = load_model(checkpoint)
    # INT8 promises something for images like those it is calibrated on, and for no others.
    shown = calibration if check_images is None else check_images
    samples = images_of(None if shown is None else Path(shown))
    ranges = images_of(Path(calibration)) if calibration is not None else []
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            draft = Path(folder) / out.name
            network, description = to_export(model, fold=fold and not int8 and to != "onnx-web")
            folded = isinstance(network, FoldedSINet)
            if to in PIXELS_IN:
                network, description = with_pixels(network, description)
            _write(network, description, draft, to, ranges)
            agreement = compare(model, open_converted(draft), samples)
            demand(agreement, str(out), int8=int8)
            size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
            # The file that is opened comes last: where it is, everything is.
            for file in sorted(Path(folder).iterdir(), key=lambda file: file == draft):
                file.replace(out.parent / file.name)
    except (SINetError, KeyboardInterrupt):
        raise
    except OSError as error:
        raise ConversionError(f"{out}: cannot be written ({error.strerror}).") from error
    except Exception as error:  # the runtimes' exceptions share no public base class
        raise ConversionError(f"{checkpoint}: not converted ({first_line(error)}).") from error
    return Conversion(out, size, folded, model.parameters, agreement)


def _check_options(out: Path, to: str, int8: bool, calibration: Path | str | None) -> None:
    if to not in get_args(Format):
        raise ConversionError(f"there is no format `{to}`: choose {', '.join(get_args(Format))}.")
    if out.suffix != (suffix := SUFFIXES[to]):  # type: ignore[index]
        raise ConversionError(f"{out}: a file of format {to} must end in {suffix}.")
    for file in (out, out.with_suffix(".bin")) if to == "openvino" else (out,):
        if file.exists():
            raise ConversionError(f"{file}: exists already; choose another name or remove it.")
    if not out.parent.is_dir():
        raise ConversionError(f"{out.parent}: no such folder.")
    if int8 and to not in ("onnx", "openvino"):
        raise ConversionError("INT8 is for the formats onnx and openvino.")
    if int8 != (calibration is not None):
        raise ConversionError("INT8 and a folder of calibration images go together: give both.")
    if to == "openvino":
        import_openvino()
    if to == "coreml":
        import_coremltools()
    if to == "tflite":
        check_converter()


def to_export(model: Model, *, fold: bool) -> tuple[nn.Module, Description]:
    """Return what is exported of a model, a SINet rewritten if `fold`, and its description."""
    network, spec = model.network.eval(), model.input
    # A FoldedSINet's channels are of very different sizes, which 8 bits cannot hold together.
    fits = spec.height % SIDE_MULTIPLE == spec.width % SIDE_MULTIPLE == 0
    fits = fits and network.classes == 2 and network.is_published
    if fold and isinstance(network, SINet) and fits:
        folded = FoldedSINet(network, spec.height, spec.width)
        return folded, Description(
            network=network.name, input=spec, activation="sigmoid", person_index=0
        )
    one = network.classes == 1
    return network, Description(
        network=network.name,
        input=spec,
        activation="sigmoid" if one else "softmax",
        person_index=0 if one else 1,
    )


def _write(
    network: nn.Module,
    description: Description,
    path: Path,
    to: Format,
    ranges: list[npt.NDArray[np.uint8]],
) -> None:
    if to == "torch-export":
        write_torch_export(network, description, path)
        return
    if to == "coreml":
        write_core_ml(network, description, path)
        return
    if to == "tflite":
        write_tflite(network, description, path)
        return
    model = onnx_model(network, description)
    if ranges:
        model = quantised(model, description, ranges)
    if to == "openvino":
        write_openvino(model, path)
    else:
        write_onnx(model, path)
