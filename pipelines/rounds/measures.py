"""What students are judged by; apart from the judging, so that who reads it loads no network."""

from collections.abc import Mapping
from typing import Any, Final

MEASURES: Final = {"native_iou": "native IoU", "boundary_f1": "boundary F1"}
"""Fields of `Scores`, with their names for people."""


def interval_of(metrics: Mapping[str, Any], measure: str) -> tuple[float, float] | None:
    """95 % interval of a run's mean; None: an older version kept none of this measure."""
    kept = metrics.get(f"{measure}_interval_95")
    return None if kept is None else (float(kept[0]), float(kept[1]))
