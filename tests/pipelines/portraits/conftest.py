"""Workspaces of a few portraits, and people's decisions about their masks."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from typer.testing import CliRunner

from dataengine.cli import app
from db import Decision, Mask, Portrait, Review, Split, reader
from db import Image as ImageRow
from pipelines.label_studio.fake import FakeGateway
from pipelines.review.pull import pull_answers
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAST_INGEST
from tests.pipelines.review.conftest import push_all

COUNT = 24


@pytest.fixture(scope="session")
def portraits_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of 24 portraits with a teacher's mask each; copied, never changed."""
    root = tmp_path_factory.mktemp("portraits")
    (root / "raw").mkdir()
    for number in range(COUNT):
        noise = np.random.default_rng(number).integers(0, 256, (200, 150, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / "raw" / f"{number:02}.jpg", quality=95)
    arguments = ["-w", str(root / "workspace"), "ingest", str(root / "raw")]
    result = CliRunner().invoke(app, arguments, env=FAST_INGEST)
    assert result.exit_code == 0, result.output
    return root / "workspace"


@pytest.fixture
def workspace(portraits_template: Path, tmp_path: Path) -> Iterator[Workspace]:
    root = tmp_path / "workspace"
    shutil.copytree(portraits_template, root)
    opened = Workspace(root, load_settings(root))
    yield opened
    opened.close()


Decide = Callable[..., None]


@pytest.fixture
def decide(workspace: Workspace) -> Decide:
    """Ask about everything, and answer for some portraits."""
    gateway = FakeGateway()

    def call(decisions: Mapping[int, str], reviewer: str = "ann@example.org", **more: Any) -> None:
        push_all(workspace, gateway)
        with reader(workspace.engine).begin() as connection:
            query = sa.select(Portrait.id, Portrait.blob)
            blobs = {row.id: row.blob for row in connection.execute(query)}
        for task in list(gateway.tasks.values()):
            for portrait_id, decision in decisions.items():
                if Path(blobs[portrait_id]).stem in task.image_url:
                    gateway.answer(task.id, decision, reviewer=reviewer, **more)
        pull_answers(workspace, gateway=gateway)

    return call


def certify(workspace: Workspace, mask_id: int) -> None:
    """A rule's decision, as a certificate makes it."""
    values = {
        "mask_id": mask_id,
        "decision": Decision.CERTIFIED,
        "reviewer": "certificate 1",
        "decided_at": sa.func.current_timestamp(),
        "reasons": [],
    }
    with workspace.engine.begin() as connection:
        connection.execute(sa.insert(Review).values(values))


def place(workspace: Workspace, splits: Mapping[int, Split | None]) -> None:
    """Decide the splits of photos by hand, by image id."""
    with workspace.engine.begin() as connection:
        for image_id, split in splits.items():
            update = sa.update(ImageRow).where(ImageRow.id == image_id)
            connection.execute(update.values(split=split))


def mask_ids(workspace: Workspace) -> dict[int, int]:
    """The latest mask by portrait id."""
    with reader(workspace.engine).begin() as connection:
        query = sa.select(Mask.portrait_id, Mask.id).order_by(Mask.revision)
        return {row.portrait_id: row.id for row in connection.execute(query)}
