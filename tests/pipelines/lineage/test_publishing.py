"""Publishing: what gets to the Hub, what never does, and what a Hub in trouble makes of it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import sqlalchemy as sa
from huggingface_hub import constants
from PIL import Image

from db import Image as ImageRow
from db import OriginRow, reader
from pipelines.ingest.request import IngestRequest
from pipelines.ingest.run import ingest_photos
from pipelines.lineage.forgetting import remove_photos
from pipelines.lineage.publishing import Published, PublishRequest, publish_release
from pipelines.releases import hub as hub_module
from pipelines.releases.exporting import ExportRequest, export_release
from pipelines.releases.formats import Format
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.opening import init_workspace
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAST_INGEST
from tests.hub import TOKEN, FakeHub, Repository
from tests.object_storage import Fault, Road

REPO = "anna/portraits"
COUNT = 5


@pytest.fixture(scope="module")
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
def road(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Road]:
    """The way to the Hub, which this process takes; nobody waits on it."""
    made = Road(hub.port)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", made.url)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
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


# What is cut off goes on.


@pytest.mark.parametrize("part", ["/create", "/preupload/", "/batch", "/put/", "/commit/", "/tag/"])
def test_what_was_cut_off_goes_on(
    part: str, workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    """The server did what was asked, but nobody heard of it: once, or as often as it is asked."""
    road.faults = [Fault(part=part, late=True) for _ in range(60)]
    with pytest.raises(PipelineError, match="broke off the connection; check"):
        publish(workspace)
    sent = len(hub.large)
    assert REPO not in hub.repositories or len(hub.repositories[REPO].commits) in (1, 2)
    road.faults.clear()
    road.asked.clear()
    publish(workspace)
    assert_holds(hub.repositories[REPO], workspace.paths.root / "releases/first")
    assert hub.repositories[REPO].tags == {"export-1": hub.repositories[REPO].head}
    assert len(hub.repositories[REPO].commits) == 2
    puts = [path for method, path in road.asked if method == "PUT"]
    assert len(puts) == len(hub.large) - sent, "nothing is sent a second time"


def test_what_passes_is_tried_again(workspace: Workspace, hub: FakeHub, road: Road) -> None:
    busy = Fault(status=429, headers=(("Retry-After", "7"),))
    road.faults = [
        Fault(part="/preupload/", status=503), Fault(part="/batch", status=500),
        Fault(part="/put/", late=True),
        Fault(part="/batch", status=busy.status, headers=busy.headers),
    ]  # fmt: skip
    publish(workspace)
    assert road.faults == []
    assert_holds(hub.repositories[REPO], workspace.paths.root / "releases/first")


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


# Tokens and rights.


def test_no_token(workspace: Workspace, road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    line = refusal(workspace)
    assert line == "no token for the Hugging Face Hub: set HF_TOKEN, or run `hf auth login`"
    assert road.asked == []


def test_a_token_that_cannot_be_one(
    workspace: Workspace, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN} and more")
    assert "holds characters that no token has" in refusal(workspace)
    assert road.asked == []


def test_the_token_of_a_login(
    workspace: Workspace, hub: FakeHub, road: Road, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    publish(workspace)
    assert REPO in hub.repositories


def test_a_token_that_is_not_accepted(
    workspace: Workspace, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_anotherone")
    assert refusal(workspace).startswith(f"{road.url}: does not accept the token: make a new one")


@pytest.mark.parametrize("there", [False, True])
def test_no_right_to_write(there: bool, workspace: Workspace, hub: FakeHub, road: Road) -> None:
    hub.writable.clear()
    if there:
        hub.make(REPO)
    line = refusal(workspace)
    assert line.startswith(f"{REPO}: the token has no right to write there (403: You don't have")


def test_the_package_is_not_installed(
    workspace: Workspace, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'portrait-dataengine[hub]'" in refusal(workspace)


# A Hub in trouble, and one that lies.


def test_nobody_answers(workspace: Workspace, hub: FakeHub, road: Road) -> None:
    road.close()
    assert refusal(workspace).startswith(f"{road.url}: cannot be reached; check the network")


def test_silence(workspace: Workspace, road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_SILENCE_SECONDS", 0.2)
    road.always = Fault(silence=1.0)
    assert "does not answer in time" in refusal(workspace)


def test_offline(workspace: Workspace, road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE forbids to ask it" in refusal(workspace)


ASKED = ("datasets/", "preupload", "batch", "commit/")
"""Parts of the paths that are asked for, in this order."""
TROUBLE = [
    (Fault(status=500), "the server fails (500); run the same command again later"),
    (Fault(status=502, body="<html>bad gateway"), "the server fails (502"),
    (Fault(status=429), "asks for fewer requests (429); run the same command again later"),
    (
        Fault(status=429, headers=(("Retry-After", "99999999"),)),
        "to come back in 99,999,999 seconds",
    ),
    (Fault(status=418, body='{"error": "I am a teapot"}'), "refused (418: I am a teapot)"),
    (Fault(status=418, body=f'{{"error": "{TOKEN}"}}'), "refused (418: …)"),
    (Fault(status=418, body='{"error": "\\u001b[2Jgone\\nfor good"}'), "refused (418: \\x1b"),
    (Fault(status=200, body="no JSON"), "answers as the Hub does not"),
    (Fault(status=200, body="[]"), "answers as the Hub does not"),
    (Fault(status=200, body='{"sha": "../x"}'), ""),
    (Fault(status=200, body="null"), "answers as the Hub does not"),
    (Fault(cut=3), "broke off the connection"),
    (
        Fault(status=307, headers=(("Location", "http://127.0.0.1:9/else"),)),
        "sends on to http://127.0.0.1:9; nothing was sent there",
    ),
    (Fault(status=302, headers=(("Location", "/loop"),)), ""),
]
TOGETHER = [
    pytest.param(
        part, *trouble, marks=() if (number - index) % len(ASKED) == 0 else pytest.mark.campaign
    )
    for index, part in enumerate(ASKED)
    for number, trouble in enumerate(TROUBLE)
]
"""By default each trouble once, wherever it may happen."""


@pytest.mark.parametrize(("part", "fault", "says"), TOGETHER)
def test_trouble_of_every_kind_is_one_line(
    part: str, fault: Fault, says: str, workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    hub.make(REPO)
    values = {name: value for name, value in vars(fault).items() if name != "part"}
    road.always = Fault(**values, part=part)
    assert says in refusal(workspace)
    assert len(hub.repositories[REPO].commits) in (1, 2)
    assert hub.repositories[REPO].tags == {}
    road.always = None
    publish(workspace)
    assert_holds(hub.repositories[REPO], workspace.paths.root / "releases/first")


def test_a_hub_that_keeps_less_than_it_says(workspace: Workspace, hub: FakeHub, road: Road) -> None:
    hub.is_honest = False
    line = refusal(workspace)
    assert "says that it has taken the release, but card.md is not what was sent" in line
    assert hub.repositories[REPO].tags == {}


@pytest.mark.parametrize("kind", ["redirect", "address of a large file"])
def test_the_token_goes_to_nobody_else(
    kind: str, workspace: Workspace, hub: FakeHub, road: Road
) -> None:
    with closing(Road(hub.port)) as elsewhere:
        if kind == "redirect":
            location = ("Location", f"{elsewhere.url}/api/whoami-v2")
            road.faults = [Fault(part="whoami", status=302, headers=(location,))]
        else:
            hub.verify_at = f"{elsewhere.url}/verify/x"
        assert "nothing was sent there" in refusal(workspace)
        assert elsewhere.asked == []


# As it is typed.


def test_the_command(template: Path, hub: FakeHub, tmp_path: Path) -> None:
    """In a process of its own: nothing but the environment says where the Hub is."""
    shutil.copytree(template, tmp_path / "workspace")
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"),
    }
    code = f"""
import sys
from dataengine.cli import app
for more in (["--dry-run"], [], ["--json"]):
    app(["-w", {str(tmp_path / "workspace")!r}, "publish", {REPO!r}, *more], standalone_mode=False)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert TOKEN not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    would = next(line for line in lines if line.startswith("Would send"))
    assert would.endswith(f"to a new repository {REPO} (private), tag export-1")
    assert f"Published export-1 at {hub.url}/datasets/{REPO} (private): " in done.stdout
    assert json.loads(done.stdout[done.stdout.index("\n{\n") :])["tagged"] is False
