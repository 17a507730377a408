"""A network asked about pictures and videos in files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from pipelines.networks.loading import load_person_model
from pipelines.workspace.progress import SILENT, Progress, tracked
from sinet.apply import Failure, Style, apply_to_files, plan
from sinet.errors import DataError
from sinet.network_ref import NetworkRef


@dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """What to predict.

    Attributes:
        network: resolved.
        paths: pictures, videos and folders of them.
        out: where the masks go.
        overlay: also write tinted pictures.
        threshold: of black and white masks; None: grey ones, probability × 255.
        overwrite: what is there may be replaced.
        device: `auto`, `cpu` or `cuda`.
    """

    network: NetworkRef
    paths: Sequence[Path]
    out: Path
    overlay: bool = False
    threshold: float | None = None
    overwrite: bool = False
    device: str = "auto"


@dataclass(frozen=True)
class Predicted:
    """What was written.

    Attributes:
        out: where.
        predicted: number of files.
        failed: files that could not be read; nothing was written for them.
    """

    out: Path
    predicted: int
    failed: list[Failure]


def predict_pictures(request: PredictRequest, progress: Progress = SILENT) -> Predicted:
    """Find the person in pictures and videos; what is written is whole whenever it is stopped.

    Raises:
        ModelError: the network cannot be had.
        DataError: files that may not be written, or not one that can be read.
    """
    cv2.setLogLevel(0)  # what OpenCV's decoders complain of is told once, by us
    works = plan(request.paths, request.out, overlay=request.overlay, overwrite=request.overwrite)
    model = load_person_model(request.network, device=request.device)
    style = Style(threshold=request.threshold, overlay=request.overlay)
    what = f"predicting with {request.network.label}"
    done, failures = apply_to_files(model, tracked(progress, works, what, "files"), style)
    if not done:
        more = f" (and {len(failures) - 1:,} more files)" if len(failures) > 1 else ""
        raise DataError(f"nothing could be predicted: {failures[0].reason}{more}")
    return Predicted(request.out, done, failures)
