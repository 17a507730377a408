"""JSON as this project writes it: what every parser reads, hence without NaN or Infinity."""

import json
from collections.abc import Callable
from typing import Any


def to_json(
    value: Any,
    *,
    indent: int | None = None,
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """Return a value as JSON, as `json.dumps` does.

    Raises:
        ValueError: there is a number in it that JSON does not know.
    """
    return json.dumps(value, indent=indent, sort_keys=sort_keys, default=default, allow_nan=False)
