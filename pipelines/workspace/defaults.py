"""Defaults that requests share with the options of commands, where imports must be quick."""

from typing import Final

BAD_BELOW: Final = 0.90
"""IoU with what a person drew, below which a mask was bad."""

MAX_ERROR: Final = 0.02
"""At most this share of a certified set is bad."""

CONFIDENCE: Final = 0.95
"""That it is so, over all attempts together."""

HELD_OUT: Final = 0.1
"""Part of what there is to learn from that is scored instead, where nothing is set aside."""

PICTURES: Final = 1200
"""Portraits whose pictures are on a page."""

GALLERY_PORTRAITS: Final = 5000
"""Portraits that a gallery shows."""
