"""What students are judged by; apart from the judging, so that who reads it loads no network."""

from typing import Final

MEASURES: Final = {"native_iou": "native IoU", "boundary_f1": "boundary F1"}
"""Fields of `Scores`, with their names for people."""
