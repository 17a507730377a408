"""JSON as this project writes it, which every parser reads, and JSON and TOML of others.

What is written has no NaN or Infinity; what is read is as deep as others like.
"""

import json
import tomllib
from collections.abc import Callable
from functools import lru_cache
from typing import Any


def to_json(
    value: Any,
    *,
    indent: int | None = None,
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
    ensure_ascii: bool = True,
) -> str:
    """Return a value as JSON, as `json.dumps` does.

    Raises:
        ValueError: there is a number in it that JSON does not know.
    """
    return _encode(indent, sort_keys, default, ensure_ascii)(value)


@lru_cache(32)
def _encode(
    indent: int | None, sort_keys: bool, default: Callable[[Any], Any] | None, ensure_ascii: bool
) -> Callable[[Any], str]:
    """Kept: for a short value making one takes longer than using it."""
    return json.JSONEncoder(
        indent=indent,
        sort_keys=sort_keys,
        default=default,
        ensure_ascii=ensure_ascii,
        allow_nan=False,
    ).encode


def from_json(text: str | bytes) -> Any:
    """Read JSON, as `json.loads` does.

    Raises:
        ValueError: it is none, or nested more deeply than can be read.
    """
    return _read(json.loads, text)


def from_toml(text: str) -> dict[str, Any]:
    """Read TOML, as `tomllib.loads` does.

    Raises:
        ValueError: it is none, or nested more deeply than can be read.
    """
    found: dict[str, Any] = _read(tomllib.loads, text)
    return found


def _read(read: Callable[[Any], Any], text: str | bytes) -> Any:
    try:
        return read(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
