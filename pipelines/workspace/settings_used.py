"""Which settings made a crop or a mask: written down once, and named by the rows they made.

What `dataengine.toml` says later is no evidence of what it said then.
"""

import hashlib
from typing import Any

import sqlalchemy as sa

from db import SettingsUsed, insert_new
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace
from sinet.json_text import to_json

SECTIONS = ("masks", "detector", "portrait", "teacher", "subject", "verdict")
"""What decides crop and mask; the others say how and where the work is done."""


def deciding(settings: Settings) -> dict[str, Any]:
    """Section → key → value, of the sections that decide crop and mask."""
    return settings.model_dump(mode="json", include=set(SECTIONS))


def settings_id(workspace: Workspace) -> int:
    """Id of the workspace's settings as they are now, written down if they are new.

    Commits by itself: a row that nothing names yet does no harm.
    """
    values = deciding(workspace.settings)
    digest = hashlib.sha256(to_json(values, sort_keys=True).encode()).hexdigest()
    known = sa.select(SettingsUsed.id).where(SettingsUsed.sha256 == digest)
    with workspace.engine.begin() as connection:
        found = connection.scalar(known)
        if found is None:
            insert_new(connection, SettingsUsed, [{"sha256": digest, "settings": values}])
            found = connection.scalars(known).one()
    return found


def unlike_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Those of recorded settings that are not today's defaults, as ``section.key`` → value."""
    return dict(_differences(values, deciding(Settings()), ""))


def _differences(values: dict[str, Any], defaults: Any, path: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        default = defaults.get(key) if isinstance(defaults, dict) else None
        if isinstance(value, dict):
            found += _differences(value, default, f"{path}{key}.")
        elif value != default:
            found.append((f"{path}{key}", value))
    return found
