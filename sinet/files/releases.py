"""Names of the files that make a folder a release."""

from typing import Final

MANIFEST_FILE: Final = "manifest.jsonl"
CHECKSUMS_FILE: Final = "checksums.txt"
"""Written last: a folder without it is not a release."""
