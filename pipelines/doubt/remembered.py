"""What is computed about rows and kept: one row each, computed anew when its definition changes."""

from collections.abc import Mapping

from db import MaskSignals, PortraitTraits, insert_or_replace
from pipelines.workspace.workspace import Workspace


def remember(
    workspace: Workspace,
    table: type[MaskSignals] | type[PortraitTraits],
    version: int,
    values: Mapping[int, Mapping[str, float]],
) -> None:
    """Write values down, in place of those of another version.

    Args:
        workspace: opened.
        table: of the values.
        version: of their definition.
        values: by the id that is the table's key.
    """
    if not values:
        return
    (key,) = (column.name for column in table.__table__.primary_key)
    rows = [{key: each, "version": version, "values": found} for each, found in values.items()]
    with workspace.engine.begin() as connection:
        insert_or_replace(connection, table, rows)
