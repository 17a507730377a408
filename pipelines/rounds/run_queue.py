"""A queue in the folder of a run: a training needs no workspace, and its work is no photo's."""

import shutil
from functools import partial
from pathlib import Path

from db import open_engine, queue, schema
from pipelines.workspace.owners import Presence, give_up_for_the_dead
from pipelines.workspace.settings import Settings

_FOLDER, _DATABASE, _LOCKS = "queue", "queue.db", "locks"


class RunQueue:
    """A workplace that has jobs and nothing else; see `pipelines.work.stage.Workplace`.

    Attributes:
        settings: of the engine.
        engine: its database.
        owner: this process's name in it.
    """

    def __init__(self, run: Path, settings: Settings) -> None:
        """Open the queue, or make it.

        Args:
            run: folder of the run; made if it is missing.
            settings: those of the engine hold.

        Raises:
            OSError: the folder cannot be written.
            db.DatabaseError: the database cannot be opened.
        """
        self.settings = settings
        self._run = run
        self._folder = run / _FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self.engine = open_engine(f"sqlite:///{self._folder / _DATABASE}")
        schema.upgrade(self.engine)
        self._presence = Presence(self.engine, self._folder / _LOCKS)
        self.owner = self._presence.name

    def reopener(self) -> "partial[RunQueue]":
        """Opens it again for another worker."""
        return partial(RunQueue, self._run, self.settings)

    def clear_up_after_the_dead(self) -> int:
        """Give back what killed processes held; the number of jobs."""
        released, dead = give_up_for_the_dead(self.engine, self._presence)
        for name in dead:
            self._presence.remove_lock(name)
        return released

    def bury(self, name: str) -> None:
        """Forget a process that was seen to die, once its jobs are given back."""
        self._presence.leave(name)

    def settle(self) -> None:
        """Nothing is put into a store here."""

    def close(self) -> None:
        """Give back what this process still holds and leave."""
        with self.engine.begin() as connection:
            queue.release(connection, self.owner)
        self._presence.release()
        self.engine.dispose()

    def remove(self) -> None:
        """Close it for good: all of its work is done."""
        self.close()
        remove_leftovers(self._run)


def remove_leftovers(run: Path) -> None:
    """Remove the queue of a run whose work is all done; killed in between, some of it stays."""
    shutil.rmtree(run / _FOLDER, ignore_errors=True)
