"""Networks for other runtimes: ONNX, OpenVINO, `torch.export`; SINet rewritten to run fast."""

from sinet.convert.converting import Conversion, convert
from sinet.convert.folding import FoldedSINet
from sinet.convert.problems import ConversionError
from sinet.convert.running import ConvertedModel, open_converted
from sinet.convert.verifying import Agreement

__all__ = [
    "Agreement",
    "Conversion",
    "ConversionError",
    "ConvertedModel",
    "FoldedSINet",
    "convert",
    "open_converted",
]
