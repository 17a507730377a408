"""What goes wrong in a conversion."""

from sinet.errors import SINetError


class ConversionError(SINetError):
    """A model cannot be converted, or the result cannot be written, read, or does not agree."""


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its kind."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
