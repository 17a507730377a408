"""What a label means that is no class."""

from typing import Final

IGNORED: Final = 255
"""Label of pixels that count for nothing."""
