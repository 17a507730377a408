"""Publishing: what gets to the Hub, and what never does."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import huggingface_hub
import pytest
import sqlalchemy as sa

from db import Image as ImageRow
from db import OriginRow, reader
from pipelines.lineage.forgetting import remove_photos
from pipelines.lineage.publishing import PublishRequest, publish_release
from pipelines.releases import hub as hub_module
from pipelines.releases.formats import Format
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace
from tests.hub import FakeHub
from tests.object_storage import Road
from tests.publishing import COUNT, REPO, assert_holds, export, files, opened, publish, refusal
from tests.publishing import hub as hub
from tests.publishing import road as road
from tests.publishing import template as template
from tests.publishing import workspace as workspace


def test_a_release_is_there_whole_with_one_commit_and_a_tag(
    workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    found = publish(workspace)
    repository = hub.repositories[REPO]
    assert_holds(repository, workspace.paths.root / "releases/first")
    assert repository.private
    assert len(repository.commits) == 2, "the Hub's own, and ours"
    assert repository.tags == {"export-1": repository.head}
    assert (found.commit, found.created, found.changed, found.tagged) == (
        repository.head, True, True, True,
    )  # fmt: skip
    assert found.url == f"{road.url}/datasets/{REPO}"
    assert {"README.md", "croissant.json", "checksums.txt"} < found.files.keys()
    assert found.bytes == sum(map(len, files(workspace.paths.root / "releases/first").values()))


def test_again_changes_nothing(workspace: Workspace, hub: FakeHub, road: Road) -> None:
    publish(workspace)
    before = hub.repositories[REPO].commits.copy()
    road.asked.clear()
    again = publish(workspace)
    assert (again.created, again.changed, again.tagged) == (False, False, False)
    assert again.commit == hub.repositories[REPO].head
    assert {method for method, _ in road.asked} == {"GET"}
    assert hub.repositories[REPO].commits == before


def test_a_dry_run_only_asks(workspace: Workspace, hub: FakeHub, road: Road) -> None:
    found = publish(workspace, dry_run=True)
    assert (found.created, found.changed, found.tagged) == (True, True, True)
    assert found.commit is None
    assert hub.repositories == {}
    assert {method for method, _ in road.asked} == {"GET"}


def test_the_next_release_takes_the_place_of_the_last_one(
    workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    """What only the last one had goes from `main`; what others put there stays."""
    publish(workspace)
    repository = hub.repositories[REPO]
    tree = dict(repository.commits[repository.head])
    tree["data/test-00000-of-00009.parquet"] = tree["data/train-00000-of-00001.parquet"]
    tree["notes.md"] = tree["card.md"]
    repository.commit(tree)
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(OriginRow).values(author="Anna"))
    folder = export(workspace, "releases/second")
    found = publish(workspace)
    assert list(found.removed) == ["data/test-00000-of-00009.parquet"]
    held = repository.files
    assert held.pop("notes.md")
    assert held.pop(".gitattributes")
    assert held == files(folder)
    assert list(repository.tags) == ["export-1", "export-2"]
    assert publish(workspace, "export-1").tagged is False, "the first is still there, by its tag"


def test_the_same_content_under_another_name_is_only_tagged(
    workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    publish(workspace)
    export(workspace, "releases/second")
    found = publish(workspace)
    assert (found.changed, found.tagged) == (False, True)
    assert set(hub.repositories[REPO].tags.values()) == {hub.repositories[REPO].head}


def test_a_release_that_was_moved(workspace: Workspace, hub: FakeHub, road: Road) -> None:
    moved = workspace.paths.root / "moved"
    (workspace.paths.root / "releases/first").rename(moved)
    assert "not there" in refusal(workspace, "export-1")
    assert publish(workspace, str(moved)).release == "export-1"
    assert_holds(hub.repositories[REPO], moved)


# What never gets there.


def spoil(folder: Path) -> None:
    table = next((folder / "data").iterdir())
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (spoil, "its content is not what was released"),
        (lambda folder: (folder / "card.md").unlink(), "is missing"),
        (lambda folder: (folder / "more.txt").write_text("x"), "was not released"),
        (lambda folder: (folder / "checksums.txt").write_text(""), "lists no file"),
        (shutil.rmtree, "is not there"),
    ],
)
def test_what_is_not_whole(
    change: Callable[[Path], object], says: str, workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    change(workspace.paths.root / "releases/first")
    line = refusal(workspace)
    assert says in line
    assert "export-1 is not what was released and is not published" in line
    assert road.asked == []


def test_a_folder_that_nobody_released_here(workspace: Workspace, road: Road) -> None:
    other = workspace.paths.root / "other"
    shutil.copytree(workspace.paths.root / "releases/first", other)
    (other / "checksums.txt").write_text(f"{'0' * 64}  card.md\n")
    for name in (str(other), "export-7", "/nowhere"):
        assert "is no release of this workspace" in refusal(workspace, name)
    assert road.asked == []


def test_other_formats_say_what_to_do(workspace: Workspace, road: Road) -> None:
    export(workspace, "releases/plain", Format.FOLDER)
    line = refusal(workspace, "export-2")
    assert line.startswith("export-2: has the format folder; `dataengine export --out DIR --format")
    assert publish(workspace, dry_run=True).release == "export-1", "the latest of the format"


def test_a_forgotten_photo(workspace: Workspace, hub: FakeHub, road: Road) -> None:
    forget_one(workspace)
    line = refusal(workspace)
    assert "holds 1 portraits of photos that were forgotten since" in line
    assert road.asked == []


def test_a_photo_that_is_forgotten_while_it_is_sent(
    workspace: Workspace, hub: FakeHub, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = huggingface_hub.HfApi.preupload_lfs_files

    def forget_then_send(*arguments: object, **more: object) -> None:
        with reader(workspace.engine).begin() as connection:
            is_there = connection.scalar(sa.select(sa.func.count()).select_from(ImageRow)) == COUNT
        if is_there:
            forget_one(workspace)
        send(*arguments, **more)

    monkeypatch.setattr(huggingface_hub.HfApi, "preupload_lfs_files", forget_then_send)
    assert "were forgotten since" in refusal(workspace)
    assert list(hub.repositories[REPO].files) == [".gitattributes"]


def forget_one(workspace: Workspace) -> None:
    with reader(workspace.engine).begin() as connection:
        image = connection.scalar(sa.select(sa.func.min(ImageRow.id)))
    assert image is not None
    remove_photos(workspace, [image])


def test_what_the_policy_refuses_by_now(
    workspace: Workspace, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workspace.engine.begin() as connection:
        first = sa.select(sa.func.min(OriginRow.source_id)).scalar_subquery()
        consent = sa.update(OriginRow).where(OriginRow.source_id == first).values(consent=False)
        connection.execute(consent)
    assert "holds 1 portraits that [policy] refuses" in refusal(workspace)
    assert road.asked == []


@pytest.mark.parametrize(
    ("licence", "says"),
    [
        (None, "nobody has said under which licence 5 of its photos are"),
        ("CC-BY-ND-4.0", "5 of its photos are under CC-BY-ND-4.0, which allows no changed copies"),
    ],
)
def test_not_everybody_may_have_everything(
    licence: str | None, says: str, workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(OriginRow).values(licence=licence, licence_stated=licence))
    export(workspace, "releases/second")
    line = refusal(workspace, public=True)
    assert line.startswith(f"export-2 is not published for everybody: {says}")
    assert road.asked == []
    publish(workspace)
    assert hub.repositories[REPO].private


def test_a_licence_that_is_another_by_now(workspace: Workspace, road: Road) -> None:
    root = workspace.paths.root
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(OriginRow).values(licence=None, licence_stated=None))
    export(workspace, "releases/second")
    (root / "dataengine.toml").write_text('[release]\nlicence = "CC0-1.0"\n')
    with closing(opened(root)) as later:
        line = refusal(later, public=True)
    assert "says that its licence is unknown, but it is cc0-1.0 by now" in line


# Repositories that are not as they should be.


def test_everybody_sees_only_what_was_meant_for_them(
    workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    hub.make(REPO, private=False)
    line = refusal(workspace)
    assert line == f"{REPO}: is public; publish with --public, or to another repository"
    publish(workspace, public=True)
    hub.repositories[REPO].private = True
    assert "is private; publish without --public" in refusal(workspace, public=True)


def test_a_server_that_makes_it_public_all_the_same(
    workspace: Workspace, hub: FakeHub, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = hub.make
    monkeypatch.setattr(hub, "make", lambda repo, private: make(repo, private=False))
    assert "is public" in refusal(workspace)
    assert list(hub.repositories[REPO].files) == [".gitattributes"]


@pytest.mark.parametrize("name", ["README.md", "data/train.csv", "model.safetensors"])
def test_a_repository_that_holds_something_else(
    name: str, workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    hub.make(REPO, **{name: b"of somebody"})
    assert f"holds something else than a release ({name}, …)" in refusal(workspace)
    assert hub.repositories[REPO].files[name] == b"of somebody"


def test_a_tag_that_is_another_release(workspace: Workspace, hub: FakeHub, road: Road) -> None:
    made = hub.make(REPO, **{"checksums.txt": b"", "manifest.jsonl": b""})
    made.tags["export-1"] = made.head
    assert "its tag export-1 is another release" in refusal(workspace)


def test_somebody_else_at_the_same_time(
    workspace: Workspace, hub: FakeHub, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.make(REPO)
    monkeypatch.setattr(hub_module.Hub, "_commit", between(hub, hub_module.Hub._commit))
    assert "somebody else changed it meanwhile" in refusal(workspace)


def between(hub: FakeHub, commit: Callable[..., str]) -> Callable[..., str]:
    def commit_after_another(*arguments: object) -> str:
        repository = hub.repositories[REPO]
        repository.commit(dict(repository.commits[repository.head]))
        return commit(*arguments)

    return commit_after_another


@pytest.mark.parametrize(
    "name", ["portraits", "a/b/c", "../x", "a/..", "a b/c", "a/b--c", "-a/b", ""]
)
def test_what_is_no_name(name: str, workspace: Workspace, road: Road) -> None:
    with pytest.raises(PipelineError, match="is no name of a repository on the Hub"):
        publish_release(workspace, PublishRequest(repo=name))
    assert road.asked == []
