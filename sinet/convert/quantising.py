"""INT8: weights and activations of an ONNX network in 8 bits, calibrated on images."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from sinet.convert.description import INPUT_NAME, Description


def quantised(
    model: onnx.ModelProto, description: Description, images: list[npt.NDArray[np.uint8]]
) -> onnx.ModelProto:
    """Return a network whose convolutions compute in 8 bits, as QDQ operations.

    Args:
        model: float32.
        description: of the network; kept in the result's metadata.
        images: uint8 (H, W, 3) RGB, from which the ranges of the activations are taken.
    """
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader:
        """What onnxruntime asks for calibration inputs."""

        def __init__(self) -> None:
            self._rest = iter(images)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self._rest, None)
            return None if image is None else {INPUT_NAME: description.input.planes(image)}

    logging.getLogger("root").addFilter(_not_preprocessed)
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "int8.onnx"
            quantize_static(
                model,
                target,
                Reader(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
            result = onnx.load(target)
    finally:
        logging.getLogger("root").removeFilter(_not_preprocessed)
    del result.metadata_props[:]
    onnx.helper.set_model_props(result, description.entries())
    return result


def _not_preprocessed(record: logging.LogRecord) -> bool:
    """Drop the advice to preprocess: there is nothing to fuse in a folded network."""
    return "pre-process" not in record.getMessage()
