"""A worker on a machine of a cluster: the engine of one machine, with one process, told from afar.

It supervises its process as a run on one machine does: leases are renewed from here while the
process is deep in a network, an item that kills it is found and set aside, one that takes too long
is ended. So a worker that is lost to an item is no event that the cluster hears of.
"""

import queue
import threading
from typing import Any

from pipelines.work.members import broken_by
from pipelines.work.pool import Pool
from pipelines.work.stage import Committed, Order


class Station:
    """One worker, from the moment it is made."""

    def __init__(self, order: Order) -> None:
        """Begin to work.

        Args:
            order: what to do; its `open` makes a workplace on this machine.
        """
        self._order = order
        self._news: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        threading.Thread(target=self._work, daemon=True).start()

    def news(self, seconds: float) -> list[tuple[str, Any]]:
        """What happened since this was last asked.

        Args:
            seconds: how long to wait for something.

        Returns:
            ``("committed", Committed)``, ``("broken", text)``, and as the last ``("ended", None)``.
        """
        told = []
        try:
            told.append(self._news.get(timeout=seconds))
            while True:
                told.append(self._news.get_nowait())
        except queue.Empty:
            return told

    def stop(self) -> None:
        """End after the batch under way."""
        self._stopped.set()

    def _work(self) -> None:
        try:
            self._work_through()
        except Exception as error:  # told where the work was ordered
            self._news.put(("broken", broken_by(error).message))
        finally:
            self._news.put(("ended", None))

    def _work_through(self) -> None:
        place = self._order.open()
        try:
            place.clear_up_after_the_dead()
            gpus = int(self._order.gpu is not None)
            Pool(place, self._order, workers=1, gpus=gpus).run(self._stopped.is_set, self._report)
        finally:
            place.close()

    def _report(self, batch: Committed) -> None:
        self._news.put(("committed", batch))
