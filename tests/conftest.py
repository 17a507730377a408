"""What every package's tests share: reference data, a real photo, a small ingested workspace."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.browser import browser as browser
from tests.browser import camera as camera

if TYPE_CHECKING:
    from tests.turned import Turned

CHECKOUT = Path(__file__).parents[1]

# They need no weights.
FAKES = {
    "DATAENGINE_DETECTOR__NAME": "fake",
    "DATAENGINE_TEACHER__NAME": "fake",
    "DATAENGINE_TEACHER__SECOND_OPINION": "none",
}
# No worker processes keep a run within a second.
FAST_INGEST = {**FAKES, "DATAENGINE_ENGINE__WORKERS": "0"}
ON_ALL_BY_DEFAULT = {
    "test_pull", "test_projects", "test_forgetting", "test_collecting", "test_relabel",
    "test_ingested_workspace",
}  # fmt: skip
"""Modules whose tests run on both databases and both stores each time; others in a campaign."""
IN_A_FILE = {
    "test_backup",
    "test_rows_that_name_nothing_are_named",
    "test_references_to_nothing_are_named",
    "test_a_workspace_made_anew_beside_old_tasks_says_so",
}
"""Modules and tests that are about the file."""
IN_A_FOLDER = {
    "test_another_store",
    "test_backup",
    "test_collecting",
    "test_ingested_workspace",
    "test_a_kill_before_the_blobs_are_removed_leaves_them_to_gc",
    "test_a_pipe_for_a_blob_or_weights_is_an_error_and_no_wait",
    "test_blobs_without_a_row_are_only_counted",
    "test_every_mask_becomes_a_task",
    "test_images_that_nobody_could_see_are_not_pushed",
}
"""Likewise, about blobs in a folder; of a bucket, test_object_store and others tell the same."""
ODD_NAME = os.fsdecode(b"odd name\n\xff.jpg")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data, beside the checkout or where DATAENGINE_SHARED says."""
    folder = Path(os.environ.get("DATAENGINE_SHARED") or CHECKOUT.parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip(f"no reference data in {folder}; DATAENGINE_SHARED may name another folder")
    return folder


@pytest.fixture(scope="session")
def mediapipe() -> Path:
    """MediaPipe's network, fetched once a machine."""
    from pipelines.networks import mediapipe_selfie
    from pipelines.workspace.errors import ModelError

    try:
        return mediapipe_selfie.fetched()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def astronaut() -> npt.NDArray[np.uint8]:
    """A public-domain portrait, 512 × 512: one frontal face, about 85 × 115 pixels."""
    from skimage.data import astronaut

    return np.asarray(astronaut(), np.uint8)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DATAENGINE_") and name != "DATAENGINE_SHARED":
            monkeypatch.delenv(name)


@dataclass(frozen=True)
class Crawl:
    """A folder of files, taken into a workspace with the fakes.

    Files: `sharp.jpg` and its copy `a_copy.jpg`; `flat.png`, whose face has no detail; the
    portrait under `ODD_NAME`; `black.png` (no face); `tiny.png` (face too small); `broken.jpg`.
    """

    raw: Path
    workspace: Path


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawl]:
    """A small ingested workspace; tests read it and change nothing, or copy it."""
    from dataengine.cli import app

    root = tmp_path_factory.mktemp("ingested")
    crawl = Crawl(root / "raw", root / "workspace")
    crawl.raw.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(crawl.raw / "sharp.jpg", quality=95)
    shutil.copy(crawl.raw / "sharp.jpg", crawl.raw / "a_copy.jpg")
    Image.fromarray(noise[::-1]).save(crawl.raw / ODD_NAME, quality=95)
    Image.new("RGB", (300, 400), (90, 120, 150)).save(crawl.raw / "flat.png")
    Image.new("RGB", (300, 400)).save(crawl.raw / "black.png")
    Image.fromarray(noise[:120, :90]).save(crawl.raw / "tiny.png")
    (crawl.raw / "broken.jpg").write_bytes(b"<html>404 Not Found</html>")
    arguments = ["-w", str(crawl.workspace), "ingest", str(crawl.raw)]
    result = CliRunner().invoke(app, arguments, env=FAST_INGEST)
    assert result.exit_code == 0, result.output
    before = rows_of(crawl.workspace)
    yield crawl
    assert rows_of(crawl.workspace) == before, "a test has changed what all tests share"


def pytest_configure() -> None:
    """Tests that run side by side, a process a core, would wait for each other's threads."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Every test draws the same numbers whatever ran before it, alone or in any process."""
    if torch := sys.modules.get("torch"):  # where it is not needed it is not loaded
        torch.manual_seed(0)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process a core for the whole suite; what is named, or a campaign, runs in this one."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return (os.cpu_count() or 1) if whole and config.option.markexpr == "not campaign" else 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of a workspace runs on each database and store: some by default, all in campaigns."""
    if "on_either" in metafunc.fixturenames:
        name = metafunc.module.__name__.rpartition(".")[2]
        names = (name, metafunc.function.__name__)
        marks = () if name in ON_ALL_BY_DEFAULT else pytest.mark.campaign
        kinds: list[Any] = ["sqlite"]
        if IN_A_FILE.isdisjoint(names):
            kinds.append(pytest.param("postgresql", marks=marks))
        if IN_A_FOLDER.isdisjoint(names):
            kinds.append(pytest.param("sqlite s3", marks=pytest.mark.campaign))
            if IN_A_FILE.isdisjoint(names):
                kinds.append(pytest.param("postgresql s3", marks=marks))
        metafunc.parametrize("on_either", kinds, indirect=True)


@pytest.fixture
def on_either(
    request: pytest.FixtureRequest, ingested: Crawl, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Rows of `ingested` are in a file or on a server, its blobs in a folder or a bucket."""
    database, _, store = request.param.partition(" ")
    with ExitStack() as stack:
        if database == "postgresql":
            from tests.postgres import server

            name = stack.enter_context(server().copy_of(ingested.workspace / "dataengine.db"))
            monkeypatch.setenv("DATAENGINE_DATABASE", server().url(name))
        if store:
            url = request.getfixturevalue("s3_folder")
            into_bucket(ingested.workspace / "store", url)
            monkeypatch.setenv("DATAENGINE_STORE__URL", url)
            monkeypatch.setenv("DATAENGINE_STORE__CACHE_BYTES", "0")
        yield


def copy_of(crawl: Crawl, root: Path) -> None:
    """Copy a workspace, for a test that changes it; without blobs where these are in a bucket."""
    elsewhere = "DATAENGINE_STORE__URL" in os.environ
    without = shutil.ignore_patterns("store") if elsewhere else None
    shutil.copytree(crawl.workspace, root, ignore=without, dirs_exist_ok=True)


def into_bucket(store: Path, url: str) -> None:
    """Copy a folder of blobs, as docs/stores.md says."""
    from tests.object_storage import server

    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    for file in filter(Path.is_file, store.rglob("*")):
        key = f"{prefix}/{file.relative_to(store)}"
        server().client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())


@pytest.fixture
def s3_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty folder in a bucket of this test's; the environment says how to open it."""
    from tests.object_storage import server

    for name, value in server().environment().items():
        monkeypatch.setenv(name, value)
    with server().bucket() as bucket:
        yield f"s3://{bucket}/some/folder"


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory) -> "Turned":
    """The engine turned once by docs/python.md; tests copy its folder before they change it."""
    from tests.turned import turn

    return turn(tmp_path_factory.mktemp("turned"))


def rows_of(workspace: Path) -> dict[str, int]:
    """The number of rows of each table."""
    with closing(sqlite3.connect(workspace / "dataengine.db")) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in tables.fetchall()
        }
