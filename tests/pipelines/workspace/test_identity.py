"""A database that was lost or mixed up is never taken for an empty one."""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from pipelines.workspace import identity
from pipelines.workspace import workspace as making
from pipelines.workspace.settings import Settings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace, make_workspace
from tests.conftest import FAST_INGEST, Crawl
from tests.dataengine.conftest import Run
from tests.dataengine.conftest import run as run
from tests.dataengine.test_cli_errors import assert_one_line_error

LOOKING = (["status"], ["verify"], ["list"])
WRITING = (["gc", "--yes"], ["upgrade"], ["ingest", "PHOTO"])
COMMANDS = LOOKING + WRITING


@pytest.fixture
def root(ingested: Crawl, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested.workspace, tmp_path / "ws"))


@pytest.fixture
def call(
    run: Run, root: Path, ingested: Crawl, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], object]:
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    photo = str(ingested.raw / "sharp.jpg")

    def typed(command: list[str]) -> object:
        return run("-w", root, *(photo if each == "PHOTO" else each for each in command))

    return typed


def blobs(root: Path) -> set[Path]:
    return {path for kind in BlobKind for path in (root / "store" / kind).rglob("*.*")}


def lose(root: Path) -> None:
    (root / "dataengine.db").unlink()


def empty(root: Path) -> None:
    (root / "dataengine.db").write_bytes(b"")


def drop_all_tables(root: Path) -> None:
    (root / "dataengine.db").unlink()
    with closing(sqlite3.connect(root / "dataengine.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")


def swap(root: Path) -> None:
    make_workspace(root.parent / "other", "")
    shutil.copy(root.parent / "other/dataengine.db", root / "dataengine.db")


def swap_without_settings(root: Path) -> None:
    swap(root)
    text = (root / "dataengine.toml").read_text()
    (root / "dataengine.toml").write_text(re.sub("id = .*", "", text))


def swap_without_any_key(root: Path) -> None:
    swap_without_settings(root)
    (root / "store/workspace-id").unlink()


def swap_the_store(root: Path) -> None:
    make_workspace(root.parent / "other", "")
    shutil.copy(root.parent / "other/store/workspace-id", root / "store/workspace-id")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lose, "is lost .missing or empty.: put it back"),
        (empty, "is lost .missing or empty.: put it back"),
        (drop_all_tables, "is lost .missing or empty.: put it back"),
        (swap, "is the database of another workspace than the settings"),
        (swap_without_settings, "is the database of another workspace than the store"),
        (swap_without_any_key, "knows none of the blobs in the store"),
        (swap_the_store, "is the database of another workspace than the store"),
    ],
)
def test_every_command_refuses_it(
    call: Callable[[list[str]], object],
    root: Path,
    harm: Callable[[Path], None],
    message: str,
) -> None:
    harm(root)
    before = blobs(root)
    settings = (root / "dataengine.toml").read_text()
    names = {path.name for path in root.iterdir()}
    for command in COMMANDS:
        assert_one_line_error(call(command), message)
    assert blobs(root) == before
    assert (root / "dataengine.toml").read_text() == settings
    assert {path.name for path in root.iterdir()} == names


def test_the_three_carry_one_key(root: Path) -> None:
    with closing(sqlite3.connect(root / "dataengine.db")) as database:
        (key,) = database.execute("SELECT key FROM workspace").fetchone()
    assert (root / "dataengine.toml").read_text().startswith(f'id = "{key}"')
    assert (root / "store/workspace-id").read_text() == f"{key}\n"


def test_an_older_workspace_gets_its_key(call: Callable[[list[str]], object], root: Path) -> None:
    (root / "store/workspace-id").unlink()
    text = (root / "dataengine.toml").read_text().partition("\n")[2] + "# my own notes\n"
    (root / "dataengine.toml").write_text(text)
    assert call(["status"]).code == 0
    assert not (root / "store/workspace-id").exists(), "not by looking"
    assert call(["upgrade"]).code == 0
    test_the_three_carry_one_key(root)
    _, _, rest = (root / "dataengine.toml").read_text().partition("\n")
    assert rest == text
    assert call(["status"]).code == 0


def test_settings_written_by_hand_get_their_tables_by_the_first_ingest(
    call: Callable[[list[str]], object], root: Path
) -> None:
    shutil.rmtree(root)
    root.mkdir()
    (root / "dataengine.toml").write_text("[release]\ntest_share = 0.2\n")
    for command in (*LOOKING, ["gc"]):
        assert_one_line_error(call(command), "has no database yet; the first `dataengine ingest`")
    assert [path.name for path in root.iterdir()] == ["dataengine.toml"]
    assert call(["ingest", "PHOTO"]).code == 0
    test_the_three_carry_one_key(root)
    assert call(["verify"]).code == 0


def test_a_killed_init_is_completed(root: Path) -> None:
    """The settings come last; whatever of the rest is there already is used."""
    for left in ([], ["store"], ["store", "dataengine.db"]):
        new = root.parent / f"new-{len(left)}"
        make_workspace(new, "")
        for path in new.iterdir():
            if path.name not in left:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if left == ["store"]:
            (new / "store/workspace-id").unlink()
        make_workspace(new, "")
        Workspace(new, Settings()).close()
        test_the_three_carry_one_key(new)


def test_gc_removes_no_more_than_a_share_unasked(
    call: Callable[[list[str]], object], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a database was put back from an old backup."""
    with closing(sqlite3.connect(root / "dataengine.db")) as database, database:
        database.execute("DELETE FROM mask")
    before = blobs(root)
    number = len(before)
    assert json.loads(call(["gc", "--dry-run", "--json"]).out)["blobs"] > 0.2 * number
    message = rf"no row names \d+ of {number} blobs \(\d\d%\), more than the 20% .* --yes"
    assert_one_line_error(call(["gc"]), message)
    assert blobs(root) == before
    monkeypatch.setenv("DATAENGINE_STORE__MOST_REMOVED", "0.9")
    assert call(["gc"]).code == 0
    assert len(blobs(root)) < number


@pytest.mark.parametrize(("module", "look"), [(making, "names_blobs"), (identity, "has_any")])
def test_two_that_make_it_at_once_make_one(
    module: ModuleType, look: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other is done, and puts a blob, after the store was looked at and before the rows are."""
    root = tmp_path / "ws"
    blob = root / f"store/{BlobKind.MASK}/aa/{'aa' * 32}.png"
    really = getattr(module, look)

    def late(*arguments: object) -> bool:
        monkeypatch.setattr(module, look, really)
        make_workspace(root, "")
        blob.parent.mkdir(parents=True)
        blob.write_bytes(b"x")
        return bool(really(*arguments))

    monkeypatch.setattr(module, look, late)
    make_workspace(root, "")
    assert blob.is_file(), "the other was there"
    Workspace(root, Settings()).close()
