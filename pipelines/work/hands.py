"""Who does the jobs of a table of stages: processes of this machine, or workers on a cluster's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Protocol

from pipelines.networks.names import with_whole_paths
from pipelines.work.crew import Crew
from pipelines.work.pool import order_for, work_through
from pipelines.work.stage import Committed, StageTable
from pipelines.workspace.elsewhere import open_elsewhere, require_shared, without_secrets
from pipelines.workspace.errors import WorkerError
from pipelines.workspace.progress import Progress
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace


class Hands(Protocol):
    """Does the jobs of any table of stages."""

    @property
    def cluster(self) -> str | None:
        """Whose machines they are on, as `--on` named it; None: this one."""
        ...

    def work_through(
        self,
        workspace: Workspace,
        table: StageTable,
        crew: Crew,
        progress: Progress,
        report: Callable[[Committed], None],
        *,
        on_gpus: bool = False,
    ) -> None:
        """Work until no job of these stages is left, or the progress is stopping.

        Args:
            workspace: opened; each worker opens it once more.
            table: makes the stages; a function or `partial` that workers can import.
            crew: who does it on this machine; what it preloads, workers elsewhere preload, too.
            progress: asked whether to stop; told who works, where that is not known beforehand.
            report: told what each batch committed.
            on_gpus: on a cluster that has any, each worker wants a GPU.

        Raises:
            WorkerError: the workers cannot go on; what they committed stays.
            PipelineError: likewise, if the work is done in this process.
            DatabaseError: the database cannot be written.
        """
        ...


def check_hands(settings: Settings, on: str | None) -> None:
    """Find what a cluster cannot do, before it is asked.

    Args:
        settings: of the workspace.
        on: the cluster: ``ray``, or ``ray://HOST[:PORT]``; None: this machine.

    Raises:
        WorkspaceError: its machines cannot reach the workspace.
        WorkerError: `on` is mistyped, or no worker is wanted.
    """
    if on is None:
        return
    from pipelines.work.ray_access import check_address

    check_address(on)
    if settings.engine.workers == 0:
        raise WorkerError(f"--on {on}: --workers 0 is this process; give 1 or more, or none")
    require_shared(settings, f"--on {on}")


@contextmanager
def hands_on(on: str | None) -> Iterator[Hands]:
    """Those of this machine, or of a cluster, which is joined as long as they are needed.

    Args:
        on: as `check_hands` takes it.

    Raises:
        WorkerError: there is no cluster.
    """
    if on is None:
        yield HERE
        return
    from pipelines.work.ray_access import joined

    with joined(on) as ray:
        yield HandsOnCluster(ray, on)


class HandsHere:
    """See `Hands`: processes of this machine."""

    cluster: str | None = None

    def work_through(
        self,
        workspace: Workspace,
        table: StageTable,
        crew: Crew,
        progress: Progress,
        report: Callable[[Committed], None],
        *,
        on_gpus: bool = False,
    ) -> None:
        """See `Hands`; the crew says how many GPUs there are."""
        del on_gpus
        work_through(workspace, table, crew, progress.stopping, report)


HERE: Final[Hands] = HandsHere()


class HandsOnCluster:
    """See `Hands`: workers on the machines of a cluster."""

    def __init__(self, ray: Any, address: str) -> None:
        """Use it.

        Args:
            ray: joined.
            address: as it was given.
        """
        self._ray = ray
        self.cluster: str | None = address

    def work_through(
        self,
        workspace: Workspace,
        table: StageTable,
        crew: Crew,
        progress: Progress,
        report: Callable[[Committed], None],
        *,
        on_gpus: bool = False,
    ) -> None:
        """See `Hands`; the cluster says how many cores and GPUs there are."""
        from pipelines.work.cluster import Fleet, Posts

        settings = workspace.settings
        there = partial(open_elsewhere, without_secrets(with_whole_paths(settings)))
        order = order_for(settings.engine, table, there, crew.preload)
        posts = Posts(workers=settings.engine.workers, on_gpus=on_gpus)
        fleet = Fleet(self._ray, workspace, order, posts)
        fleet.run(progress.stopping, report, progress.say)
