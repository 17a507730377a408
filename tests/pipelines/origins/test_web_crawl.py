"""A real crawl with its manifest: every file is accounted for, and its origin is in the release."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from dataengine.cli import app
from db import Decision, Mask, Review
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAST_INGEST

EVERY = 25


@pytest.fixture(scope="session")
def web(shared: Path) -> Path:
    folder = shared / "data/crawl/web"
    if not folder.is_dir():
        pytest.skip("no crawl of the web in the reference data")
    return folder


def call(arguments: Sequence[str | Path], environment: dict[str, str]) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)], env=environment)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


def accept_everything(root: Path) -> None:
    """As if a person had looked at every mask and found it good."""
    workspace = Workspace(root, load_settings(root))
    with workspace.engine.begin() as connection:
        masks = list(connection.scalars(sa.select(Mask.id)))
        values = {
            "decision": Decision.ACCEPT,
            "reviewer": "test",
            "decided_at": sa.func.current_timestamp(),
            "reasons": [],
        }
        for mask_id in masks:
            connection.execute(sa.insert(Review).values(mask_id=mask_id, **values))
    workspace.close()


def check_crawl(photos: Path, manifest: Path, root: Path, environment: dict[str, str]) -> None:
    arguments = ["-w", root / "ws", "ingest", photos, "--origin", manifest, "--json"]
    run = json.loads(call(arguments, environment))
    files = sorted(photos.iterdir())
    rows = {row["file"]: row for row in csv.DictReader(manifest.open())}
    counts = run["run"]["origins"]
    assert counts == {"matched": len(files), "unmatched": 0, "unused": len(rows) - len(files)}
    images = run["status"]["photos"]
    assert images["seen"] == len(files)
    assert images["seen"] == images["unique"] + images["duplicates"] + images["unread"]
    assert images["unique"] == images["with_portraits"] + images["no_face"] + images["failed"]
    accept_everything(root / "ws")
    call(["-w", root / "ws", "export", "--out", root / "out"], environment)
    lines = [json.loads(line) for line in (root / "out/manifest.jsonl").read_text().splitlines()]
    assert lines
    check_release(lines, rows)
    with (root / "out/ATTRIBUTION.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [line["id"] for line in lines]
    card = (root / "out/card.md").read_text()
    assert f"Of 0 of {len(lines):,} portraits nothing says where they come from" in card
    only = {**environment, "DATAENGINE_POLICY__LICENCES": '["CC0-1.0", "CC-BY-4.0"]'}
    only |= {"DATAENGINE_POLICY__ALLOW_UNKNOWN": "false"}
    call(["-w", root / "ws", "export", "--out", root / "free"], only)
    free = [json.loads(line) for line in (root / "free/manifest.jsonl").read_text().splitlines()]
    wanted = {line["id"] for line in lines if line["origin"]["licence"] in ("CC0-1.0", "CC-BY-4.0")}
    assert {line["id"] for line in free} == wanted


def check_release(lines: list[dict[str, Any]], rows: dict[str, dict[str, str]]) -> None:
    stated = Counter(row["licence_as_stated"] for row in rows.values())
    told = {
        "CC-BY-NC-SA-4.0": "CC-BY-NC-SA-4.0",
        "CC0-1.0 / US-gov public domain": "CC0-1.0",
        "site content CC-BY-4.0 (ropensci.org)": "CC-BY-4.0",
    }
    pages = {row["repository"] for row in rows.values()}
    for line in lines:
        origin = line["origin"]
        assert origin["licence_stated"] in stated
        # Of the others a repository's licence is stated, which says nothing of the photos in it.
        assert origin["licence"] == told.get(origin["licence_stated"])
        assert origin["page"] in pages


def test_a_sample_of_it(web: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for photo in sorted((web / "images").iterdir())[::EVERY]:
        shutil.copy(photo, tmp_path / "photos")
    check_crawl(tmp_path / "photos", web / "manifest.csv", tmp_path, FAST_INGEST)


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_all_of_it_with_real_networks(web: Path, tmp_path: Path) -> None:
    environment = {"DATAENGINE_TEACHER__NAME": "bundled"}
    check_crawl(web / "images", web / "manifest.csv", tmp_path, environment)
