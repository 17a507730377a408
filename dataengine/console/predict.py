"""`predict` on a console."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import typer

from dataengine.console.shared.progress import shown
from dataengine.console.shared.text import print_json, printable
from pipelines.networks import NetworkRef, load_person_model
from sinet.apply import Style, apply_to_files, plan
from sinet.errors import DataError


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """What `predict` was asked for.

    Attributes:
        network: that finds the person; resolved.
        paths: pictures, videos and folders of them.
        out: where the masks go.
        overlay: also write tinted pictures.
        threshold: of black and white masks; None: grey ones.
        overwrite: what is there may be replaced.
        device: `auto`, `cpu` or `cuda`.
    """

    network: NetworkRef
    paths: list[Path]
    out: Path
    overlay: bool
    threshold: float | None
    overwrite: bool
    device: str


def run_prediction(request: PredictionRequest, *, as_json: bool) -> bool:
    """Predict and report; True if it was interrupted.

    Raises:
        ModelError: the network cannot be had.
        DataError: files that may not be written, or not one that can be read.
    """
    cv2.setLogLevel(0)  # what OpenCV's decoders complain of is told once, by us
    works = plan(request.paths, request.out, overlay=request.overlay, overwrite=request.overwrite)
    model = load_person_model(request.network, device=request.device)
    style = Style(threshold=request.threshold, overlay=request.overlay)
    try:
        done, failures = apply_to_files(model, shown(works, request.network.label), style)
    except KeyboardInterrupt:
        typer.echo("Stopped; what is in the out folder is whole.", err=True)
        return True
    if not done:
        more = f" (and {len(failures) - 1:,} more files)" if len(failures) > 1 else ""
        raise DataError(f"nothing could be predicted: {printable(failures[0].reason)}{more}")
    for failure in failures:
        typer.echo(f"failed: {printable(failure.reason)}", err=True)
    if as_json:
        reasons = [{"path": str(each.path), "reason": each.reason} for each in failures]
        print_json({"out": str(request.out), "predicted": done, "failed": reasons})
    else:
        typer.echo(f"{done:,} files predicted in {request.out}, {len(failures):,} failed")
    return False
