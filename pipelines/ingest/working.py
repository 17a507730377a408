"""The work of `ingest`: who does it, and whether they reach what is taken in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import JobRow, JobState, Source, Stage, reader, transact
from pipelines.ingest.found import FoundFile
from pipelines.ingest.request import IngestRequest
from pipelines.ingest.stage_table import ingest_stages
from pipelines.networks import NetworkRef, parse_network, second_opinion
from pipelines.networks.downloading import download_missing
from pipelines.networks.runtimes import gpus_for, modules_of
from pipelines.work.crew import crew
from pipelines.work.hands import Hands, check_hands
from pipelines.work.stage import Committed
from pipelines.workspace.addresses import is_remote
from pipelines.workspace.errors import ScanError
from pipelines.workspace.progress import Progress
from pipelines.workspace.settings import Settings
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace

# Fewer photos are done before a process has imported what it needs.
_WORTH_A_PROCESS = 4


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What there is to do: jobs, and how many of them are files to read or to search."""

    jobs: int
    files: int


def check_workers(settings: Settings, request: IngestRequest) -> None:
    """Find what a cluster cannot do, before it is asked.

    Raises:
        WorkspaceError: its machines cannot reach the workspace.
        ScanError: they cannot reach what is offered.
        WorkerError: `--on` is mistyped, or no worker is wanted.
    """
    check_hands(settings, request.on)
    if request.on is not None and request.masks is not None:
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


def asked(settings: Settings) -> list[NetworkRef]:
    """The networks that are asked for masks and opinions."""
    second = second_opinion(settings.teacher)
    return [*parse_network(settings.teacher.name).each, *(second.each if second else ())]


def work(
    hands: Hands,
    workspace: Workspace,
    waiting: Waiting,
    progress: Progress,
    report: Callable[[Committed], None],
) -> None:
    """Work until nothing is left to be taken in, or the progress is stopping.

    Args:
        hands: whose.
        workspace: the run's own.
        waiting: what there is to do.
        progress: told who works.
        report: told what each batch committed.

    Raises:
        ScanError: something is waiting that the hands do not reach.
        PipelineError: as `Hands.work_through`.
    """
    settings = workspace.settings
    is_fake = settings.teacher.name == settings.detector.name == "fake"
    # One worker a core, or a GPU; none where fewer photos wait than one takes at once.
    who = crew(
        settings.engine,
        waiting.jobs,
        _WORTH_A_PROCESS,
        gpus=0 if is_fake else gpus_for(asked(settings), settings.engine.device),
        preload=() if is_fake else _modules(settings),
    )
    if hands.cluster is None:
        _download(settings, progress)
        where = f"with {who.workers or 'no further'} workers"
    else:
        _require_in_reach(workspace, hands.cluster)
        where = f"on {hands.cluster}"
    progress.say(f"ingesting {waiting.files:,} files {where}")
    on_gpus = settings.engine.device != "cpu" and not is_fake
    hands.work_through(workspace, ingest_stages, who, progress, report, on_gpus=on_gpus)


def compare_photos(hands: Hands, workspace: Workspace, progress: Progress) -> None:
    """Look for near-duplicates among photos that are new, where many hands make it quick.

    Those of this machine are had by whoever wants groups, too: nothing is done with them now.

    Args:
        hands: whose.
        workspace: the run's own.
        progress: told of the pairs of blocks that are compared.
    """
    if hands.cluster is None:
        return
    from pipelines.portraits.near_groups import compare_new
    from pipelines.portraits.near_pairs import compare_pairs, near_shelf

    compare = partial(compare_pairs, workspace, progress=progress, hands=hands)
    compare_new(workspace.engine, near_shelf(workspace), compare)


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


def _modules(settings: Settings) -> tuple[str, ...]:
    return ("pipelines.ingest.stage_table", *modules_of(asked(settings)))


def _download(settings: Settings, progress: Progress) -> None:
    """Fetch weights that are to be downloaded, once for all workers."""
    given = parse_network(settings.teacher.name).each if settings.teacher.weights else ()
    missing = [each for each in asked(settings) if each not in given]
    download_missing(missing, settings.engine.device, progress.say)
