"""How good a mask is."""

from sinet.metrics.counts import Counts, boundary_f1, boundary_iou

__all__ = ["Counts", "boundary_f1", "boundary_iou"]
