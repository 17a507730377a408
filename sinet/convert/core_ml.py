"""Core ML: written anywhere, run by Apple's runtime on macOS, elsewhere step by step in PyTorch.

Apple's runtime is on its own systems alone. What lies in a file is a program of some twenty kinds
of steps, so that elsewhere the file itself is read back and its steps are computed: that checks
what was written, all weights included, but not Apple's runtime.
"""

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sinet.convert.description import INPUT_NAME, OUTPUT_NAME, Description
from sinet.convert.problems import ConversionError

_INSTALL: Final = "Core ML's tools are not installed: pip install 'portrait-dataengine[coreml]'."
Infer = Callable[[Any], Any]


def import_coremltools() -> Any:
    """Return the `coremltools` module.

    Raises:
        ConversionError: it is not installed.
    """
    with _quiet():
        try:
            import coremltools
        except ImportError as error:
            raise ConversionError(_INSTALL) from error
    return coremltools


def write_core_ml(network: nn.Module, description: Description, path: Path) -> None:
    """Write an ML program for iOS 16 or macOS 13, in single precision; `path` becomes a folder.

    Raises:
        ConversionError: Core ML's tools are not installed.
    """
    tools = import_coremltools()
    example = torch.zeros(1, 3, description.input.height, description.input.width)
    with _quiet():
        model = tools.convert(
            torch.jit.trace(network, example),  # type: ignore[no-untyped-call]
            convert_to="mlprogram",
            inputs=[tools.TensorType(name=INPUT_NAME, shape=example.shape)],
            outputs=[tools.TensorType(name=OUTPUT_NAME)],
            minimum_deployment_target=tools.target.iOS16,
            compute_precision=tools.precision.FLOAT32,
            skip_model_load=True,
        )
        model.user_defined_metadata.update(description.entries())
        model.save(str(path))


def open_core_ml(path: Path) -> tuple[dict[str, str], Infer]:
    """Return a file's metadata, and what maps its input to its output, arrays of float32.

    Raises:
        ConversionError: Core ML's tools are not installed; or, elsewhere than on macOS, the program
            has a step that is not known here.
    """
    tools = import_coremltools()
    on_apple = sys.platform == "darwin"
    with _quiet():
        model = tools.models.MLModel(str(path), skip_model_load=not on_apple)
    metadata = dict(model.user_defined_metadata)
    if on_apple:
        return metadata, lambda planes: model.predict({INPUT_NAME: planes})[OUTPUT_NAME]
    from coremltools.converters.mil.frontend.milproto.load import load

    with _quiet():
        spec = model.get_spec()
        program = load(spec, spec.specificationVersion, model.weights_dir)
    main = program.functions["main"]
    steps = [op for op in main.operations if op.op_type != "const"]
    if unknown := sorted({op.op_type for op in steps} - _STEPS.keys()):
        raise ConversionError(
            f"{path.name}: Core ML runs on macOS alone, and its step `{unknown[0]}` cannot be "
            "checked elsewhere."
        )
    return metadata, lambda planes: _computed(main, steps, planes)


def _computed(main: Any, steps: list[Any], planes: Any) -> Any:
    known: dict[str, Any] = {INPUT_NAME: torch.from_numpy(planes)}

    def value(variable: Any) -> Any:
        if isinstance(variable, (list, tuple)):
            return [value(each) for each in variable]
        if variable is None or variable.name in known:
            return None if variable is None else known[variable.name]
        constant = variable.val
        is_array = isinstance(constant, np.ndarray) and constant.dtype.kind == "f"
        return torch.from_numpy(constant) if is_array else constant

    with torch.inference_mode():
        for step in steps:
            inputs = {name: value(each) for name, each in step.inputs.items()}
            known[step.outputs[0].name] = _STEPS[step.op_type](inputs)
        return known[main.outputs[0].name].numpy()


def _padded(of: dict[str, Any]) -> Tensor:
    x: Tensor = of["x"]
    if of["pad_type"] == "valid":
        return x
    if of["pad_type"] != "custom":
        raise ConversionError(f"a step of Core ML pads by `{of['pad_type']}`, unknown here.")
    top, bottom, left, right = (int(each) for each in of["pad"])
    return functional.pad(x, (left, right, top, bottom))


def _convolution(of: dict[str, Any]) -> Tensor:
    return functional.conv2d(
        _padded(of),
        of["weight"],
        of.get("bias"),
        stride=_ints(of["strides"]),
        dilation=_ints(of["dilations"]),
        groups=int(of["groups"]),
    )


def _average(of: dict[str, Any]) -> Tensor:
    if any(of["pad"]) or of["ceil_mode"]:
        raise ConversionError("a step of Core ML averages beyond the border, unknown here.")
    return functional.avg_pool2d(of["x"], _ints(of["kernel_sizes"]), _ints(of["strides"]))


def _norm(of: dict[str, Any]) -> Tensor:
    return functional.batch_norm(
        of["x"], of["mean"], of["variance"], of["gamma"], of["beta"], eps=float(of["epsilon"])
    )


def _enlarged(of: dict[str, Any]) -> Tensor:
    factors = (float(of["scale_factor_height"]), float(of["scale_factor_width"]))
    corners = bool(of["align_corners"])
    return functional.interpolate(
        of["x"], scale_factor=factors, mode="bilinear", align_corners=corners
    )


def _sliced(of: dict[str, Any]) -> Tensor:
    axes = len(of["begin"])

    def said(name: str, default: Any) -> Any:
        return [default] * axes if of.get(name) is None else of[name]

    if any(said("squeeze_mask", False)):
        raise ConversionError("a step of Core ML slices an axis away, unknown here.")
    each = zip(
        of["begin"], of["end"], said("stride", 1), said("begin_mask", False),
        said("end_mask", False), strict=True,
    )  # fmt: skip
    x: Tensor = of["x"]
    return x[
        tuple(
            slice(None if from_first else int(begin), None if to_last else int(end), int(stride))
            for begin, end, stride, from_first, to_last in each
        )
    ]


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(int(each) for each in values)


def _expanded(of: dict[str, Any]) -> Tensor:
    x: Tensor = of["x"]
    for axis in sorted(_ints(of["axes"])):
        x = x.unsqueeze(axis)
    return x


def _product(of: dict[str, Any]) -> Tensor:
    x, y = torch.as_tensor(of["x"]), torch.as_tensor(of["y"])
    return (x.mT if of["transpose_x"] else x) @ (y.mT if of["transpose_y"] else y)


_STEPS: Final[dict[str, Callable[[dict[str, Any]], Tensor]]] = {
    "abs": lambda of: of["x"].abs(),
    "add": lambda of: of["x"] + of["y"],
    "avg_pool": _average,
    "batch_norm": _norm,
    "clip": lambda of: of["x"].clamp(float(of["alpha"]), float(of["beta"])),
    "concat": lambda of: torch.cat(of["values"], int(of["axis"])),
    "conv": _convolution,
    "expand_dims": _expanded,
    "leaky_relu": lambda of: functional.leaky_relu(of["x"], float(of["alpha"])),
    "linear": lambda of: functional.linear(of["x"], of["weight"], of.get("bias")),
    "matmul": _product,
    "mul": lambda of: of["x"] * of["y"],
    "prelu": lambda of: functional.prelu(of["x"], of["alpha"]),
    "reduce_max": lambda of: of["x"].amax(_ints(of["axes"]), bool(of["keep_dims"])),
    "reduce_mean": lambda of: of["x"].mean(_ints(of["axes"]), bool(of["keep_dims"])),
    "relu": lambda of: of["x"].relu(),
    "relu6": lambda of: functional.relu6(of["x"]),
    "reshape": lambda of: of["x"].reshape(_ints(of["shape"])),
    "sigmoid": lambda of: of["x"].sigmoid(),
    "sigmoid_hard": lambda of: (of["x"] * of["alpha"] + of["beta"]).clamp(0, 1),
    "slice_by_index": _sliced,
    "softmax": lambda of: of["x"].softmax(int(of["axis"])),
    "sub": lambda of: of["x"] - of["y"],
    "squeeze": lambda of: of["x"].squeeze(_ints(of["axes"])),
    "transpose": lambda of: of["x"].permute(_ints(of["perm"])),
    "upsample_bilinear": _enlarged,
}
"""Kinds of steps, from their inputs by name; what else they say that changes them is refused."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tools from telling of versions, progress and what only macOS has."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
