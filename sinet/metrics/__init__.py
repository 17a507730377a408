"""How good a mask is, and how sure that is."""

from sinet.metrics.bootstrap import Interval, paired_bootstrap
from sinet.metrics.counts import Counts, boundary_f1, boundary_iou, outline_band, rim
from sinet.metrics.worst import SliceMeans, slice_means

__all__ = [
    "Counts",
    "Interval",
    "SliceMeans",
    "boundary_f1",
    "boundary_iou",
    "outline_band",
    "paired_bootstrap",
    "rim",
    "slice_means",
]
