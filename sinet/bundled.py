"""Weights that come with the package, by name.

They were trained on EG1800, whose photos and masks are for research use only: the MIT licence of
the code does not cover them. The model cards beside them say how they were made and what they can
do.
"""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "weights"

BUNDLED: Final = {
    "bundled": FOLDER / "deeplab.safetensors",
    "sinet:bundled": FOLDER / "sinet.safetensors",
}
"""Name → checkpoint: the small DeepLabv3 that is `ingest`'s teacher `bundled`, and SINet."""
