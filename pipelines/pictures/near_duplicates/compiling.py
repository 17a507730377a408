"""Loops that Numba compiles: on their first use in an installation, and kept."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function; sums of floats may be taken in any order.

    Numba takes a second to import, so whoever calls what is compiled imports it in a function.
    """
    made: Callable[P, R]
    try:
        made = njit(nogil=True, cache=True, fastmath=True)(function)
    except RuntimeError:  # no folder that the cache could be written to
        made = njit(nogil=True, fastmath=True)(function)
    return made
