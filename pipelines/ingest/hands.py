"""Who does the work of a run: processes of this machine, or workers on those of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import JobRow, JobState, Source, Stage, reader, transact
from pipelines.ingest.found import FoundFile
from pipelines.ingest.request import IngestRequest
from pipelines.ingest.stage_table import ingest_stages
from pipelines.networks import NetworkRef, parse_network, second_opinion
from pipelines.networks.downloading import download_missing
from pipelines.networks.names import NOBODY
from pipelines.networks.runtimes import gpus_for, modules_of
from pipelines.work.crew import Crew, crew
from pipelines.work.pool import order_for, work_through
from pipelines.work.stage import Committed, StageTable
from pipelines.workspace.addresses import is_remote
from pipelines.workspace.elsewhere import open_elsewhere, require_shared, without_secrets
from pipelines.workspace.errors import ScanError, WorkerError
from pipelines.workspace.progress import Progress
from pipelines.workspace.settings import Settings
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace
from sinet.network_ref import PREFIXES

# Fewer photos are done before a process has imported what it needs.
_WORTH_A_PROCESS = 4


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What there is to do: jobs, and how many of them are files to read or to search."""

    jobs: int
    files: int


class Hands(Protocol):
    """Does all jobs that wait, and what can be done beforehand of what others will want."""

    def __call__(
        self,
        workspace: Workspace,
        waiting: Waiting,
        progress: Progress,
        report: Callable[[Committed], None],
    ) -> None:
        """Work until nothing is left, or the progress is stopping.

        Args:
            workspace: the run's own.
            waiting: what there is to do.
            progress: told who works.
            report: told what each batch committed.
        """
        ...

    def compare_photos(self, workspace: Workspace, progress: Progress) -> None:
        """Look for near-duplicates among photos that are new, where many hands make it quick.

        Args:
            workspace: the run's own.
            progress: told of the pairs of blocks that are compared.
        """
        ...


def check_hands(settings: Settings, request: IngestRequest) -> None:
    """Find what a cluster cannot do, before it is asked.

    Raises:
        WorkspaceError: its machines cannot reach the workspace.
        ScanError: they cannot reach what is offered.
        WorkerError: `--on` is mistyped, or no worker is wanted.
    """
    if request.on is None:
        return
    from pipelines.work.ray_access import check_address

    check_address(request.on)
    if settings.engine.workers == 0:
        raise WorkerError(
            f"--on {request.on}: --workers 0 is this process; give 1 or more, or none"
        )
    require_shared(settings, f"--on {request.on}")
    if request.masks is not None:
        raise ScanError(
            f"--on {request.on}: the masks in {request.masks} are on this machine, where a "
            "cluster's workers do not reach them; take them in without --on"
        )


def check_reach(request: IngestRequest, files: Sequence[FoundFile]) -> None:
    """Refuse files that only this machine can read, if others shall.

    Raises:
        ScanError: one is among them.
    """
    here = next((file for file in files if not is_remote(file.uri)), None)
    if request.on is not None and here is not None:
        raise _out_of_reach(request.on, here.uri)


@contextmanager
def hands(settings: Settings, request: IngestRequest) -> Iterator[Hands]:
    """Who works; a cluster is joined before anything is written.

    Raises:
        WorkerError: there is no cluster.
    """
    if request.on is None:
        yield HandsHere()
        return
    from pipelines.work.ray_access import joined

    with joined(request.on) as ray:
        yield HandsOnCluster(ray, request.on)


def asked(settings: Settings) -> list[NetworkRef]:
    """The networks that are asked for masks and opinions."""
    second = second_opinion(settings.teacher)
    return [*parse_network(settings.teacher.name).each, *(second.each if second else ())]


class HandsHere:
    """See `Hands`: processes of this machine."""

    def __call__(
        self,
        workspace: Workspace,
        waiting: Waiting,
        progress: Progress,
        report: Callable[[Committed], None],
    ) -> None:
        """See `Hands`."""
        settings = workspace.settings
        _download(settings, progress)
        who = _crew(settings, waiting.jobs)
        told = f"with {who.workers or 'no further'} workers"
        progress.say(f"ingesting {waiting.files:,} files {told}")
        work_through(workspace, ingest_stages, who, progress.stopping, report)

    def compare_photos(self, workspace: Workspace, progress: Progress) -> None:
        """Not now: whoever wants groups has these hands, too."""


class HandsOnCluster:
    """See `Hands`: workers on the machines of a cluster."""

    def __init__(self, ray: Any, address: str) -> None:
        """Use it.

        Args:
            ray: joined.
            address: as it was given.
        """
        self._ray = ray
        self._address = address

    def __call__(
        self,
        workspace: Workspace,
        waiting: Waiting,
        progress: Progress,
        report: Callable[[Committed], None],
    ) -> None:
        """See `Hands`."""
        settings = workspace.settings
        _require_in_reach(workspace, self._address)
        is_fake = _is_fake(settings)
        progress.say(f"ingesting {waiting.files:,} files on {self._address}")
        self._work(
            workspace,
            ingest_stages,
            () if is_fake else _modules(settings),
            progress,
            report,
            on_gpus=settings.engine.device != "cpu" and not is_fake,
        )

    def compare_photos(self, workspace: Workspace, progress: Progress) -> None:
        """See `Hands`."""
        from pipelines.portraits.near_groups import compare_new
        from pipelines.portraits.near_pairs import PRELOAD, compare_pairs, near_shelf, pair_stages

        def work(place: Workspace, report: Callable[[Committed], None]) -> None:
            self._work(place, pair_stages, PRELOAD, progress, report, on_gpus=False)

        compare = partial(compare_pairs, workspace, progress=progress, work=work)
        compare_new(workspace.engine, near_shelf(workspace), compare)

    def _work(
        self,
        workspace: Workspace,
        table: StageTable,
        preload: tuple[str, ...],
        progress: Progress,
        report: Callable[[Committed], None],
        *,
        on_gpus: bool,
    ) -> None:
        from pipelines.work.cluster import Fleet, Posts

        settings = workspace.settings
        there = partial(open_elsewhere, without_secrets(_with_whole_paths(settings)))
        order = order_for(settings.engine, table, there, preload)
        posts = Posts(workers=settings.engine.workers, on_gpus=on_gpus)
        fleet = Fleet(self._ray, workspace, order, posts)
        fleet.run(progress.stopping, report, progress.say)


def _require_in_reach(workspace: Workspace, address: str) -> None:
    """Refuse what earlier runs left that only another machine can read.

    Raises:
        ScanError: there is some.
    """
    is_here = Source.uri.startswith("file://")
    unfinished = JobRow.state.in_([JobState.TODO, JobState.DOING])
    to_read = sa.select(Source.uri).join(JobRow, JobRow.item_id == Source.id)
    to_read = to_read.where(JobRow.stage == Stage.READ, unfinished, is_here).limit(1)
    to_see = sa.select(Source.uri).join(JobRow, JobRow.item_id == Source.image_id)
    to_see = to_see.where(JobRow.stage.in_([Stage.DETECT, Stage.IMPORT]), unfinished, is_here)

    def first(connection: Connection) -> str | None:
        return connection.scalar(to_read) or connection.scalar(to_see.limit(1))

    found = transact(reader(workspace.engine), first)
    if found is not None:
        raise _out_of_reach(address, found)


def _out_of_reach(address: str, uri: str) -> ScanError:
    return ScanError(
        f"--on {address}: {uri_path(uri)} is on this machine, where a cluster's workers do not "
        "reach it; put the crawl into a bucket, or take it in without --on"
    )


def _with_whole_paths(settings: Settings) -> Settings:
    """Files of networks by paths that mean the same in every folder."""
    teacher = settings.teacher
    prefixes = {kind: prefix for prefix, kind in PREFIXES.items()}

    def whole(network: NetworkRef) -> str:
        prefix = prefixes.get(network.kind)
        if prefix is None or network.file is None:
            return network.name
        return f"{prefix}:{network.file.absolute()}"

    def all_whole(networks: NetworkRef) -> str:
        return ",".join(map(whole, networks.each))

    second = second_opinion(teacher)
    changed = {
        "name": all_whole(parse_network(teacher.name)),
        "weights": teacher.weights and str(Path(teacher.weights).absolute()),
        "second_opinion": all_whole(second) if second else NOBODY,
    }
    return settings.model_copy(update={"teacher": teacher.model_copy(update=changed)})


def _crew(settings: Settings, jobs: int) -> Crew:
    """One worker a core, or a GPU; none where fewer photos wait than one takes at once."""
    fake = _is_fake(settings)
    gpus = 0 if fake else gpus_for(asked(settings), settings.engine.device)
    preload = () if fake else _modules(settings)
    return crew(settings.engine, jobs, _WORTH_A_PROCESS, gpus=gpus, preload=preload)


def _modules(settings: Settings) -> tuple[str, ...]:
    return ("pipelines.ingest.stage_table", *modules_of(asked(settings)))


def _is_fake(settings: Settings) -> bool:
    return settings.teacher.name == settings.detector.name == "fake"


def _download(settings: Settings, progress: Progress) -> None:
    """Fetch weights that are to be downloaded, once for all workers."""
    given = parse_network(settings.teacher.name).each if settings.teacher.weights else ()
    missing = [each for each in asked(settings) if each not in given]
    download_missing(missing, settings.engine.device, progress.say)
