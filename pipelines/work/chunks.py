"""How many jobs a worker claims at once: as many batches as are done within some seconds.

A claim and a commit cost the database as much for one batch as for hundreds, and a batch may take
milliseconds (files hashed) or seconds (networks on a processor). So a chunk is measured in time: it
is what is lost with a worker, and what others wait for at the end.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from db import Stage
from pipelines.work.stage import StageWork

MOST: Final = 1024
"""Jobs of a chunk; more gain nothing."""

# The first batch of a stage may be quicker than all others, or hold fewer items.
_GROWTH: Final = 4


class ChunkSizes:
    """Chunk sizes of one worker, by stage."""

    def __init__(self, seconds: float) -> None:
        """Begin with one batch.

        Args:
            seconds: that a chunk may take; 0: it is always one batch.
        """
        self._seconds = seconds
        self._sizes: dict[Stage, int] = {}

    def of(self, work: StageWork[Any, Any]) -> int:
        """How many jobs of a stage to claim: whole batches."""
        return self._sizes.get(work.stage, work.batch_size)

    @contextmanager
    def timed(self, work: StageWork[Any, Any], items: int) -> Iterator[None]:
        """Measure a chunk of so many items."""
        started = time.perf_counter()
        yield
        taken = max(time.perf_counter() - started, 1e-6)
        before = self.of(work)
        wanted = min(int(items * self._seconds / taken), before * _GROWTH, MOST)
        self._sizes[work.stage] = max(1, wanted // work.batch_size) * work.batch_size
