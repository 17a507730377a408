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
from pipelines.work.stage import Committed
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
    """Does all jobs that wait."""

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
        yield _of_this_machine
        return
    from pipelines.work.ray_access import joined

    with joined(request.on) as ray:
        yield partial(_of_cluster, ray, request.on)


def asked(settings: Settings) -> list[NetworkRef]:
    """The networks that are asked for masks and opinions."""
    second = second_opinion(settings.teacher)
    return [*parse_network(settings.teacher.name).each, *(second.each if second else ())]


def _of_this_machine(
    workspace: Workspace, waiting: Waiting, progress: Progress, report: Callable[[Committed], None]
) -> None:
    settings = workspace.settings
    _download(settings, progress)
    who = _crew(settings, waiting.jobs)
    progress.say(f"ingesting {waiting.files:,} files with {who.workers or 'no further'} workers")
    work_through(workspace, ingest_stages, who, progress.stopping, report)


def _of_cluster(
    ray: Any,
    address: str,
    workspace: Workspace,
    waiting: Waiting,
    progress: Progress,
    report: Callable[[Committed], None],
) -> None:
    from pipelines.work.cluster import Fleet, Posts

    _require_in_reach(workspace, address)
    settings = workspace.settings
    there = without_secrets(_with_whole_paths(settings))
    order = order_for(
        settings.engine,
        ingest_stages,
        partial(open_elsewhere, there),
        () if _is_fake(settings) else _modules(settings),
    )
    on_gpus = settings.engine.device != "cpu" and not _is_fake(settings)
    progress.say(f"ingesting {waiting.files:,} files on {address}")
    posts = Posts(workers=settings.engine.workers, on_gpus=on_gpus)
    Fleet(ray, workspace, order, posts).run(progress.stopping, report, progress.say)


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
