"""A network exported for another runtime."""

from dataclasses import dataclass
from pathlib import Path

from pipelines.networks.names import check_trainable
from pipelines.workspace.progress import SILENT, Progress
from sinet.convert import Conversion, convert
from sinet.convert.writing import Format
from sinet.network_ref import NetworkRef


@dataclass(frozen=True, kw_only=True)
class ConvertRequest:
    """What to export.

    Attributes:
        network: resolved.
        out: file to write.
        to: the format.
        int8: compute in 8 bits.
        calibrate: images from which INT8 takes its ranges.
        check: images on which the file must agree with PyTorch; None: those of `calibrate`, or
            three of scikit-image's.
    """

    network: NetworkRef
    out: Path
    to: Format = "onnx"
    int8: bool = False
    calibrate: Path | None = None
    check: Path | None = None


def convert_network(request: ConvertRequest, progress: Progress = SILENT) -> Conversion:
    """Export a network, made fast, and written only if it agrees with PyTorch.

    Raises:
        ModelError: the network cannot be had, or is of a kind that cannot be exported.
        SINetError: as `sinet.convert.convert`.
    """
    check_trainable(request.network, "convert")
    progress.begin("converting", None, "networks")
    return convert(
        request.network,
        request.out,
        request.to,
        int8=request.int8,
        calibration=request.calibrate,
        check_images=request.check,
    )
