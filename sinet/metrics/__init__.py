"""How good a mask is, and how sure that is."""

from sinet.metrics.bootstrap import Interval, paired_bootstrap
from sinet.metrics.counts import Counts, boundary_f1, boundary_iou, outline_band, rim

__all__ = [
    "Counts",
    "Interval",
    "boundary_f1",
    "boundary_iou",
    "outline_band",
    "paired_bootstrap",
    "rim",
]
