"""The settings that made a crop or a mask are written down, and stay what they were."""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from db import Mask, Portrait, SettingsUsed, reader
from pipelines.workspace.settings import Settings
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.settings_used import deciding, settings_id, unlike_defaults
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl


def test_an_ingest_writes_down_what_it_was_told(ingested: Crawl) -> None:
    workspace = Workspace(ingested.workspace, load_settings(ingested.workspace))
    try:
        with reader(workspace.engine).begin() as connection:
            (used,) = connection.execute(sa.select(SettingsUsed.id, SettingsUsed.settings)).all()
            made_by = {
                table.__tablename__: set(connection.scalars(sa.select(table.settings_id)))
                for table in (Portrait, Mask)
            }
    finally:
        workspace.close()
    assert made_by == {"portrait": {used.id}, "mask": {used.id}}
    # The workspace's file and environment no longer say so: these tests set them for the run only.
    assert unlike_defaults(used.settings) == {
        "detector.name": "fake", "teacher.name": "fake", "teacher.second_opinion": "none",
    }  # fmt: skip


def test_other_settings_are_another_row(ingested: Crawl, tmp_path: Path) -> None:

    root = tmp_path / "workspace"
    shutil.copytree(ingested.workspace, root)

    def used(**options: dict[str, Any]) -> int:
        workspace = Workspace(root, load_settings(root, options))
        try:
            return settings_id(workspace)
        finally:
            workspace.close()

    first = used()
    assert used() == first
    assert used(engine={"workers": 7}) == first, "how the work is done does not matter"
    assert used(teacher={"onnx": {"person_index": 3}}) != first


def test_differences_name_the_nested_key() -> None:
    settings = Settings.model_validate({"teacher": {"onnx": {"person_index": 3}}})
    assert unlike_defaults(deciding(settings)) == {"teacher.onnx.person_index": 3}
    assert unlike_defaults(deciding(Settings())) == {}
    assert unlike_defaults({"gone": {"key": 1}}) == {"gone.key": 1}, "of an older version"
