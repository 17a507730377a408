"""A workspace with a release to publish, a Hub to publish it on, and the way there."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipelines.ingest.request import IngestRequest
from pipelines.ingest.run import ingest_photos
from pipelines.lineage.publishing import Published, PublishRequest, publish_release
from pipelines.releases.exporting import ExportRequest, export_release
from pipelines.releases.formats import Format
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.opening import init_workspace
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAST_INGEST
from tests.hub import TOKEN, FakeHub, Repository, lead_to
from tests.object_storage import Road

REPO = "anna/portraits"
COUNT = 5


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of five portraits whose masks came with them, all CC0, and a release of them."""
    root = tmp_path_factory.mktemp("publishing")
    for name in ("raw", "masks"):
        (root / name).mkdir()
    person = Image.new("L", (150, 200))
    person.paste(255, (30, 40, 120, 200))
    for number in range(COUNT):
        noise = np.random.default_rng(number).integers(0, 256, (200, 150, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"raw/{number}.png")
        person.save(root / f"masks/{number}.png")
    (root / "origins.csv").write_text(
        "file,license\n" + "".join(f"{number}.png,CC0-1.0\n" for number in range(COUNT))
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FAST_INGEST.items():
            patch.setenv(name, value)
        init_workspace(root / "workspace")
        with closing(opened(root / "workspace")) as workspace:
            request = IngestRequest(
                paths=[root / "raw"], masks=root / "masks", origin=root / "origins.csv"
            )
            ingest_photos(workspace, request)
            export(workspace, "releases/first")
    return root / "workspace"


def opened(root: Path) -> Workspace:
    return Workspace(root, load_settings(root))


def export(workspace: Workspace, path: str, form: Format = Format.HF) -> Path:
    return export_release(
        workspace, ExportRequest(out=workspace.paths.root / path, format=form)
    ).path


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(template, tmp_path / "workspace")
    with closing(opened(tmp_path / "workspace")) as workspace:
        yield workspace


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    made = FakeHub()
    yield made
    made.close()


@pytest.fixture
def road(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    """The way to the Hub, which this process takes; nobody waits on it."""
    made = Road(hub.port)
    lead_to(made.url, monkeypatch)
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda _: None))
    yield made
    made.close()


def publish(workspace: Workspace, release: str | None = None, **more: bool) -> Published:
    return publish_release(workspace, PublishRequest(repo=REPO, release=release, **more))


def refusal(workspace: Workspace, release: str | None = None, **more: bool) -> str:
    """The line that publishing ends with; the token is never in it."""
    with pytest.raises(PipelineError) as caught:
        publish(workspace, release, **more)
    line = str(caught.value)
    assert TOKEN not in line
    assert "\n" not in line
    return line


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def assert_holds(repository: Repository, folder: Path) -> None:
    held = repository.files
    assert held.pop(".gitattributes")
    assert held == files(folder)
