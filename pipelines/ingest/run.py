"""`ingest` as one function: register what is offered, then work until nothing is left."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

from sqlalchemy.engine import Engine

from db import JobState, Stage, chunks, open_to_read, queue, reader, schema, transact
from pipelines.ingest import records, source_records
from pipelines.ingest.found import FoundArchive, ScanSummary
from pipelines.ingest.offering import offered
from pipelines.ingest.pairs import check_masks
from pipelines.ingest.records import Registered
from pipelines.ingest.request import IngestRequest
from pipelines.ingest.scan import Given, scan
from pipelines.ingest.stage_table import STAGES
from pipelines.ingest.tally import Tally
from pipelines.ingest.working import (
    Waiting,
    asked,
    check_reach,
    check_workers,
    compare_photos,
    work,
)
from pipelines.networks import check_teacher, parse_network
from pipelines.networks.current import resolve_settings
from pipelines.networks.emptiness import emptiness
from pipelines.networks.names import CURRENT
from pipelines.origins.rows import apply_policy
from pipelines.origins.tables import read_table
from pipelines.work.hands import Hands, hands_on
from pipelines.work.stage import Committed
from pipelines.workspace.addresses import address_uri, is_address
from pipelines.workspace.opening import init_if_missing
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.settings import Settings
from pipelines.workspace.sources import Sources
from pipelines.workspace.workspace import Workspace, WorkspacePaths, database_url

_REGISTER_BATCH = 2000


@dataclass
class IngestPlan:
    """What a run would take in.

    Attributes:
        files: how the offered files compare with what is known.
        scan: what was left out, and why.
        pending: jobs left from earlier runs.
        failed: failed jobs.
    """

    files: Registered = field(default_factory=Registered)
    scan: ScanSummary = field(default_factory=ScanSummary)
    pending: int = 0
    failed: int = 0


@dataclass
class IngestResult:
    """What a run did.

    Attributes:
        files: how the offered files compared with what was known.
        scan: what was left out, and why.
        retried: failed jobs that were done again.
        tally: what was committed.
        seconds: how long the work took, without the scan.
        interrupted: stopped before everything was done.
        warning: what is odd about all of it; None: nothing.
    """

    files: Registered
    scan: ScanSummary
    retried: int
    tally: Tally
    seconds: float
    interrupted: bool
    warning: str | None = None


def check_request(settings: Settings, request: IngestRequest) -> None:
    """Find what is mistyped, before anything is made or written for it.

    Raises:
        ScanError: a path does not exist or cannot be read; the masks or their pattern are wrong.
        ModelError: there is no such teacher.
    """
    check_workers(settings, request)
    check_teacher(settings.teacher)
    scan(request.paths, sources=Sources(settings))
    if request.mask_folder:
        check_masks(request.mask_folder, request.paths)
    if request.origin:
        read_table(request.origin)


def open_for_ingest(
    root: Path, settings: Settings, request: IngestRequest, progress: Progress = SILENT
) -> Workspace:
    """Open the workspace that a request is about; where there is none it is made.

    Nothing is made for a request that is mistyped.

    Raises:
        PipelineError: as `check_request`.
        WorkspaceError: it cannot be made or opened, or there is none and `sinet:current` is wanted.
    """
    check_request(settings, request)
    # Only a workspace that is there has a student.
    wants_student = CURRENT in map(str, asked(settings))
    if not wants_student and init_if_missing(root):
        progress.say(f"Made a workspace in {root.absolute()}")
    return Workspace(root, settings)


def plan_ingest(root: Path, settings: Settings, request: IngestRequest) -> IngestPlan:
    """Find out what `ingest_photos` would do, writing nothing; there need be no workspace.

    Raises:
        ScanError: a path does not exist or cannot be read.
        ModelError: there is no such teacher.
    """
    check_request(settings, request)
    result = IngestPlan()
    paths = WorkspacePaths(root)
    if not paths.exists:
        _compare(None, settings, request, result)
        return result
    engine, close = open_to_read(database_url(paths, settings))
    try:
        # To tables of an older program, or none, everything offered is new.
        _compare(engine if schema.check(engine) else None, settings, request, result)
    finally:
        close()
    return result


def _compare(
    known: Engine | None, settings: Settings, request: IngestRequest, result: IngestPlan
) -> None:
    """Fill a plan in; None: nothing is known yet."""
    remembered = None if known is None else partial(_known_members, known)
    found = offered(request, result.scan, Sources(settings), remembered)
    for batch in chunks(found.files, _REGISTER_BATCH):
        if known is None:
            result.files.new += len({file.uri for file in batch})
            continue
        with reader(known).begin() as connection:
            new, changed, unchanged = records.compare(connection, batch)
        result.files.new += len(new)
        result.files.changed += len(changed)
        result.files.known += unchanged
    result.files.known += result.scan.known_members
    if request.limit is not None:
        result.files.new = min(result.files.new, request.limit)
    if known is not None:
        with reader(known).begin() as connection:
            jobs = queue.counts(connection)
        result.pending = sum(jobs[stage][JobState.TODO] for stage in STAGES)
        result.failed = sum(jobs[stage][JobState.FAILED] for stage in STAGES)


def ingest_photos(
    workspace: Workspace, request: IngestRequest, progress: Progress = SILENT
) -> IngestResult:
    """Take in what is offered and finish whatever is unfinished in the workspace.

    Args:
        workspace: where to.
        request: what.
        progress: told of every batch; stopped, the run ends after those under way.

    Raises:
        ScanError: a path does not exist or cannot be read.
        ModelError: a detector or teacher cannot be loaded.
        WorkerError: the workers cannot go on.
        WorkspaceError: the workspace cannot be written.
    """
    check_workers(workspace.settings, request)
    # A cluster is joined before anything is written.
    with hands_on(request.on) as hands:
        return _ingest(workspace, request, progress, hands)


def _ingest(
    workspace: Workspace, request: IngestRequest, progress: Progress, hands: Hands
) -> IngestResult:
    # For the rest of the run `sinet:current` is who it is now.
    workspace.settings = resolve_settings(workspace)
    check_teacher(workspace.settings.teacher)
    workspace.clear_up_after_the_dead()
    summary = ScanSummary()
    registered, retried = Registered(), 0
    if request.retry_failed:
        retried = _retry(workspace, request.paths)
    else:
        registered = _register(workspace, request, summary, progress)
    todo = transact(reader(workspace.engine), queue.counts)
    tally = Tally()
    started = time.monotonic()

    def report(batch: Committed) -> None:
        before = tally.files
        tally.note(batch)
        progress.advance(tally.files - before, str(tally))

    if any(todo[stage][state] for stage in STAGES for state in (JobState.TODO, JobState.DOING)):
        files = sum(todo[stage][JobState.TODO] for stage in (Stage.READ, Stage.DETECT))
        jobs = sum(todo[stage][JobState.TODO] for stage in STAGES)
        progress.begin("ingesting", files, "images")
        work(hands, workspace, Waiting(jobs=jobs, files=files), progress, report)
    workspace.sources.finish()
    apply_policy(workspace)
    seconds = time.monotonic() - started
    if not progress.stopping():
        compare_photos(hands, workspace, progress)
    teacher = parse_network(workspace.settings.teacher.name).each
    return IngestResult(
        registered,
        summary,
        retried,
        tally,
        seconds,
        interrupted=progress.stopping(),
        warning=emptiness(teacher, tally.labelled, tally.empty, "empty or beside the face"),
    )


def _register(
    workspace: Workspace,
    request: IngestRequest,
    summary: ScanSummary,
    progress: Progress,
) -> Registered:
    total = Registered()
    progress.begin("scanning", None, "files found")
    found = offered(request, summary, workspace.sources, partial(_known_members, workspace.engine))
    for batch in chunks(found.files, _REGISTER_BATCH):
        room = None if request.limit is None else request.limit - total.new
        check_reach(request, batch)
        archives: list[FoundArchive] = []
        if not found.gone_through:  # otherwise most of their members may still come
            archives, summary.archives = summary.archives, []
        register = partial(
            records.register, files=batch, offered=found, room=room, archives=archives
        )
        added = transact(workspace.engine, register)
        total.new += added.new
        total.changed += added.changed
        total.known += added.known
        progress.advance(added.seen)
        if progress.stopping() or (request.limit is not None and total.new >= request.limit):
            break
    else:
        if summary.archives:
            remember = partial(source_records.remember_archives, archives=summary.archives)
            transact(workspace.engine, remember)
    total.known += summary.known_members
    return total


def _known_members(engine: Engine, uri: str, version: str) -> int | None:
    ask = partial(source_records.known_members, uri=uri, version=version)
    return transact(reader(engine), ask)


def _retry(workspace: Workspace, paths: Sequence[Given]) -> int:
    elsewhere = [address_uri(str(each)) for each in paths if is_address(str(each))]
    here = [each for each in paths if not is_address(str(each))]
    with workspace.engine.begin() as connection:
        if not paths:
            # Those of other stages wait until somebody asks for their results.
            by_stage = {stage: queue.retry_failed(connection, stage) for stage in Stage}
            return sum(by_stage[stage] for stage in STAGES)
        retried = 0
        # What lies elsewhere is known by its address: nothing is listed again to do it again.
        listed = (source_records.sources_under(connection, uri) for uri in elsewhere)
        found = (file.uri for file in scan(here, sources=workspace.sources))
        for batch in chunks(chain(found, *listed), _REGISTER_BATCH):
            source_ids, images = records.source_ids(connection, batch)
            retried += queue.retry_failed(connection, Stage.READ, source_ids)
            retried += queue.retry_failed(connection, Stage.DETECT, images)
            retried += queue.retry_failed(connection, Stage.IMPORT, images)
            portraits = records.portrait_ids(connection, images)
            retried += queue.retry_failed(connection, Stage.LABEL, portraits)
        return retried
