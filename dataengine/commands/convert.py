"""`dataengine convert`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dataengine.commands.shared.resolution import Resolution

EPILOG = """
**Examples**

    dataengine convert sinet:bundled --out sinet.onnx --to onnx
    dataengine convert sinet:bundled --out sinet-320.onnx --resolution 320
    dataengine convert SINet.pth --out sinet.xml --to openvino
    dataengine convert runs/sinet/last.safetensors --out phone.onnx --int8 --calibrate ./photos
"""


class Format(StrEnum):
    """What can be written; a test holds it equal to sinet's."""

    ONNX = "onnx"
    ONNX_WEB = "onnx-web"
    OPENVINO = "openvino"
    TORCH_EXPORT = "torch-export"
    COREML = "coreml"
    TFLITE = "tflite"


def convert(
    context: typer.Context,
    network_: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="Whose weights: bundled, sinet:bundled, sinet:current, sinet:FILE, or a file: "
            ".safetensors of ours, the SINet authors' .pth.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="What to write: .onnx, .xml (OpenVINO, with a .bin beside it), .pt2, .tflite, or "
            "the folder .mlpackage (Core ML).",
            show_default=False,
        ),
    ],
    to: Annotated[Format, typer.Option(help="Format.")] = Format.ONNX,
    resolution: Resolution = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute in 8 bits; needs --calibrate.")
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Images like those to come, from which INT8 takes its ranges.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Images on which the file must agree with PyTorch before it is written.",
            show_default="three photos of scikit-image; with --int8 those of --calibrate",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Export a network for another runtime, made fast, and checked against PyTorch.

    A SINet is rewritten to run fast: normalisation and channel shuffles become part of the
    weights. The file carries how its input is prepared, so `evaluate`, `predict` and
    `ingest --teacher onnx:FILE` understand the ONNX one as it is. Those for web pages and
    telephones (`onnx-web`, `coreml`, `tflite`) take pixels and answer a probability. Nothing is
    overwritten, and a file that does not agree with the original is not written.
    """
    import pipelines
    from dataengine.console.convert import print_conversion
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import network

    request = pipelines.ConvertRequest(
        network=network(context, network_).at(resolution),
        out=out,
        to=to.value,
        int8=int8,
        calibrate=calibrate,
        check=check,
    )
    with shown_progress() as progress:
        print_conversion(pipelines.convert_network(request, progress), as_json=json)
