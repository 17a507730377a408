"""What is made of samples: kept in memory as far as that goes, made again beyond."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

from sinet.data.listing import Sample
from sinet.processes import processes

_T = TypeVar("_T")

MOST_BYTES: Final = 1 << 30
"""Of all processes that train together: two thousand pictures of 400 pixels."""


class Kept(Sequence[_T], Generic[_T]):
    """A value for each sample: that of the first ones is kept, that of the others made when asked.

    So a small data set is decoded once, and a large one takes no more memory than this.

    Args:
        samples: in order.
        make: a value of a sample; the same each time.
        size: of a value, in bytes.
        most_bytes: that are kept; default: this process's part of `MOST_BYTES`.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        make: Callable[[Sample], _T],
        size: Callable[[_T], int],
        most_bytes: int | None = None,
    ) -> None:
        self._samples, self._make = samples, make
        left = MOST_BYTES // processes() if most_bytes is None else most_bytes
        self._ready: list[_T] = []
        for sample in samples:
            value = make(sample)
            left -= size(value)
            if left < 0:
                break
            self._ready.append(value)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> _T:  # type: ignore[override]
        """Return a value; do not write to it."""
        if index < len(self._ready):
            return self._ready[index]
        return self._make(self._samples[index])

    def __iter__(self) -> Iterator[_T]:
        return map(self.__getitem__, range(len(self)))
