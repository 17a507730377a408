"""Names in a data set with alpha mattes."""

from typing import Final

ALPHAS: Final = "alphas"
"""Folder of mattes: 8 bit, 255 the person."""
TRIMAPS: Final = "trimaps"
"""Folder of what is known: 0 the background, 255 the person, `UNKNOWN`."""
UNKNOWN: Final = 128
