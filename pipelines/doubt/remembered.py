"""What is computed about rows and kept: one row each, computed anew when its definition changes."""

from collections.abc import Iterable, Mapping

from sqlalchemy.engine import Connection

from db import MaskSignals, PortraitTraits, Stage, insert_or_replace, queue
from pipelines.work.crew import crew
from pipelines.work.hands import Hands
from pipelines.work.stage import Committed, StageTable
from pipelines.workspace.errors import ReadOnlyError
from pipelines.workspace.progress import SILENT
from pipelines.workspace.workspace import Workspace


def remember(
    connection: Connection,
    table: type[MaskSignals] | type[PortraitTraits],
    version: int,
    values: Mapping[int, Mapping[str, float]],
) -> None:
    """Write values down, in place of those of another version.

    Args:
        connection: in a transaction.
        table: of the values.
        version: of their definition.
        values: by the id that is the table's key.
    """
    (key,) = (column.name for column in table.__table__.primary_key)
    rows = [{key: each, "version": version, "values": found} for each, found in values.items()]
    insert_or_replace(connection, table, rows)


def compute(
    workspace: Workspace,
    stage: Stage,
    table: StageTable,
    version: int,
    item_ids: Iterable[int],
    *,
    worth_a_process: int,
    hands: Hands,
) -> int:
    """Compute what is missing in the workers of the queue, and whatever an earlier call left.

    An item that fails is a failed job, and is not tried again by itself.

    Args:
        workspace: opened.
        stage: whose jobs these are.
        table: makes that stage.
        version: of the definition; with another one even what has failed is computed anew.
        item_ids: of what is missing.
        worth_a_process: so many items take longer than a process takes to start.
        hands: whose workers.

    Returns:
        How many were computed.

    Raises:
        PipelineError: a blob is missing or damaged, or the workers cannot go on.
        ReadOnlyError: something is missing, and the workspace was opened to read.
    """
    ids = list(item_ids)
    if not ids:
        return 0
    if workspace.read_only:
        raise ReadOnlyError(
            f"{workspace.paths.root}: {stage} of {len(ids):,} items have to be computed first, and "
            "it was opened to read"
        )
    done = 0

    def count(batch: Committed) -> None:
        nonlocal done
        done += batch.done

    with workspace.engine.begin() as connection:
        queue.ask(connection, stage, ids, str(version))
    who = crew(workspace.settings.engine, len(ids), worth_a_process)
    hands.work_through(workspace, table, who, SILENT, count)
    return done
