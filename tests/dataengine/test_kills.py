"""Every command that changes a workspace, killed at moments spread over what it changes.

Whatever is killed, the same command run again ends as one that nobody disturbed.
"""

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command as alembic

from db import Base, open_engine, schema
from pipelines.label_studio.fake import FakeGateway
from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl
from tests.dataengine.test_rounds import imported as imported
from tests.dataengine.training_data import make_config
from tests.kills import FAKES, Command, Tally, Whom, campaign, copied, nothing, state_differences
from tests.kills_on_postgres import campaign_on_postgres
from tests.label_studio_over_http import over_http, told
from tests.pipelines.lineage.conftest import release
from tests.pipelines.review.conftest import push_all, stroke
from tests.pipelines.reviewed_workspaces import (
    Prepared,
    answer_all,
    many,
    multiply,
    opened_copy,
    reviewed,
    scored,
)

__all__ = ["many", "reviewed", "scored"]  # fixtures

OLDER = sorted(path.name[:4] for path in schema.MIGRATIONS.glob("versions/0*.py"))[:-1]
TWENTY = pytest.param(20, marks=[pytest.mark.campaign, pytest.mark.timeout(7200)])
KILLS = [1, TWENTY]
EVERYBODY = (Whom.GROUP, Whom.PARENT, Whom.WORKER)
SPLITS = {"DATAENGINE_RELEASE__TEST_SHARE": "0.3", "DATAENGINE_RELEASE__VAL_SHARE": "0.1"}
REVIEW = {
    "DATAENGINE_RELEASE__TEST_SHARE": "0",
    "DATAENGINE_REVIEW__SETTLE_SECONDS": "0.5",
    # What chance draws is drawn anew after a kill.
    "DATAENGINE_REVIEW__RANDOM_SHARE": "0",
    "DATAENGINE_REVIEW__RECHECK_SHARE": "0",
    "DATAENGINE_REVIEW__HONEYPOT_SHARE": "0",
}
CERTIFY = ("certify", "--max-error", "0.1", "--confidence", "0.9", "--seed", "7")
EVERY_VERDICT = ("--verdict", "candidate", "--verdict", "review", "--verdict", "rejected")
MASKS = 100

Attack = Callable[..., None]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.campaign)])
def attack(request: pytest.FixtureRequest, tmp_path: Path, kills: int) -> Attack:
    """Kill a command in copies of the world in `tmp_path/world`; all have to end equal."""
    return attack_by(
        campaign if request.param == "sqlite" else campaign_on_postgres, tmp_path, kills
    )


@pytest.fixture
def attack_in_file(tmp_path: Path, kills: int) -> Attack:
    """The same of a command that is about a database file."""
    return attack_by(campaign, tmp_path, kills)


def attack_by(campaign: Callable[..., Tally], tmp_path: Path, kills: int) -> Attack:
    def call(
        *arguments: str,
        environment: Mapping[str, str] = FAKES,
        beside: Callable[[Path], AbstractContextManager[Mapping[str, str]]] = nothing,
        is_done: str | None = None,
        **options: Any,
    ) -> None:
        command = Command(
            arguments=arguments, environment=environment, beside=beside, is_done=is_done
        )
        world, copies = tmp_path / "world", tmp_path / "copies"
        tally = campaign(world, command, copies, kills=kills, **{"a_copy": 2, **options})
        assert not tally.differences, "\n".join(tally.differences)
        assert tally.hits["during"] >= 0.75 * kills, tally

    return call


@pytest.fixture
def world(tmp_path: Path) -> Callable[[Path], Path]:
    """Makes the world, with a copy of a workspace in it; gives its folder."""

    def call(workspace: Path) -> Path:
        return copied(workspace, tmp_path / "world/ws").parent

    return call


World = Callable[[Path], Path]


def opened(root: Path) -> Workspace:
    return Workspace(root, load_settings(root))


@pytest.mark.parametrize("kills", KILLS)
def test_export(attack: Attack, world: World, imported: Path) -> None:
    world(imported)
    attack(
        "export", "--out", "out", environment={**FAKES, **SPLITS}, is_done="is there already, whole"
    )


@pytest.mark.parametrize("kills", KILLS)
def test_train_a_round(attack: Attack, world: World, imported: Path) -> None:
    """With a teacher, whose soft masks are made by the workers of a queue of its own."""
    make_config(world(imported), epochs=2)
    line = ("train", "--round", "1", "--config", "config.json", "--teacher", "fake")
    attack(*line, environment={**FAKES, **SPLITS}, a_copy=4)


@pytest.fixture
def crowd(many: Path, world: World) -> Path:
    root = world(many) / "ws"
    workspace = opened(root)
    multiply(workspace, MASKS)
    workspace.close()
    return root


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("kills", KILLS)
def test_relabel(attack: Attack) -> None:
    attack("relabel", "--network", "fake", "--workers", "2", whom=EVERYBODY, a_copy=5)


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("kills", [TWENTY])
def test_traits(attack: Attack) -> None:
    # Run again when all is computed it only reads, and clears nothing away.
    compare = partial(state_differences, only=("portrait_traits", "job", "unnamed"))
    attack("scores", "slices", whom=EVERYBODY, a_copy=5, compare=compare)


@pytest.mark.parametrize("kills", [TWENTY])
def test_signals(attack: Attack, world: World, reviewed: Prepared) -> None:
    """A fit that was killed at its very end is there, and the next one is another."""
    world(reviewed.root)
    compare = partial(state_differences, only=("mask_signals", "job", "leaves"))
    attack("scores", "fit", whom=EVERYBODY, a_copy=5, compare=compare)


@pytest.mark.parametrize("kills", [TWENTY])
def test_certify_draws_an_audit(attack: Attack, world: World, scored: Prepared) -> None:
    world(scored.root)
    attack(*CERTIFY, environment={**FAKES, **REVIEW})


@pytest.mark.parametrize("kills", KILLS)
def test_certify_accepts(attack: Attack, world: World, scored: Prepared, tmp_path: Path) -> None:
    from pipelines.certify.certifying import CertifyRequest, certify_masks

    workspace, gateway = opened_copy(scored, tmp_path)
    certify_masks(workspace, CertifyRequest(max_error=0.1, confidence=0.9, seed=7))
    push_all(workspace, gateway, order=Order.RANDOM, limit=1)
    answer_all(workspace, gateway)
    pull_answers(workspace, gateway=gateway)
    workspace.close()
    world(workspace.paths.root)
    attack(*CERTIFY, environment={**FAKES, **REVIEW}, is_done="there is nothing to accept")


def server(gateway: FakeGateway) -> Callable[[Path], object]:
    """A server beside the runs in a world; every world has one of its own, with the same tasks."""

    @contextmanager
    def beside(world: Path) -> Iterator[Mapping[str, str]]:
        own = copy.deepcopy(gateway)
        with over_http(own, seconds=0.02) as environment:
            yield environment
        (world / "server.txt").write_text(told(own))

    return beside


@pytest.mark.parametrize("kills", KILLS)
def test_push(attack: Attack, world: World, scored: Prepared) -> None:
    world(scored.root)
    line = ("review", "push", *EVERY_VERDICT, "--order", "id", "--batch", "5")
    attack(*line, environment={**FAKES, **REVIEW}, beside=server(scored.gateway))


@pytest.mark.parametrize("kills", KILLS)
def test_pull(attack: Attack, world: World, scored: Prepared, tmp_path: Path) -> None:
    workspace, gateway = opened_copy(scored, tmp_path)
    push_all(workspace, gateway, order=Order.ID)
    waiting = [task for task in gateway.tasks.values() if not task.annotations]
    assert len(waiting) > 40
    for number, task in enumerate(waiting):
        assert task.mask is not None
        drawn = [task.mask, stroke(task.mask.width, task.mask.height)]
        match number % 5:
            case 0:
                gateway.answer(task.id, "accept")
            case 1:
                gateway.answer(task.id, "reject", reasons=["bad_photo"])
            case 2:
                gateway.answer(task.id, "fix", regions=drawn)
            case 3:
                gateway.answer(task.id, None, skipped=True)
            case 4:
                gateway.answer(task.id, "accept")
                gateway.answer(task.id, "reject", reviewer="bob@example.org")
    workspace.close()
    world(workspace.paths.root)
    line = ("review", "pull")
    attack(*line, environment={**FAKES, **REVIEW}, beside=server(gateway))


@pytest.mark.parametrize("kills", KILLS)
def test_gc(attack: Attack, world: World, many: Path) -> None:
    workspace = opened(world(many) / "ws")
    for number in range(60):
        workspace.store.put(BlobKind.MASK, f"nobody's {number}".encode())
    workspace.close()
    attack("gc", "--yes")


@pytest.mark.parametrize("kills", KILLS)
def test_forget(attack: Attack, world: World, ingested: Crawl) -> None:
    """A photo with a release, a student, and a copy."""
    workspace = opened(world(ingested.workspace) / "ws")
    release(workspace)
    workspace.close()
    attack("forget", str(ingested.raw / "sharp.jpg"), "--yes")


@pytest.mark.parametrize("kills", KILLS)
def test_backup(attack: Attack, world: World, ingested: Crawl) -> None:
    workspace = opened(world(ingested.workspace) / "ws")
    release(workspace)
    workspace.close()
    attack("backup", "out", is_done="is there already")


@pytest.mark.parametrize("kills", [TWENTY])
def test_restore(attack_in_file: Attack, world: World, ingested: Crawl) -> None:
    root = world(ingested.workspace)
    shutil.copytree(root / "ws", root / "backup")
    attack_in_file("restore", "backup", "out", is_done="is there already", a_copy=1)


@pytest.mark.parametrize(
    ("revision", "kills"),
    [(OLDER[0], 1), *(pytest.param(each, 2, marks=pytest.mark.campaign) for each in OLDER)],
)
def test_upgrade(attack_in_file: Attack, world: World, ingested: Crawl, revision: str) -> None:
    """From every schema there ever was."""
    root = world(ingested.workspace) / "ws"
    workspace = opened(root)
    release(workspace)
    workspace.close()
    set_back(root, revision)
    attack_in_file("upgrade")


def set_back(root: Path, revision: str) -> None:
    """Put a database of an older schema into a workspace, with those of its rows that fit."""
    today = (root / "dataengine.db").rename(root / "today.db")
    engine = open_engine(f"sqlite:///{root}/dataengine.db")
    with engine.begin() as connection:
        alembic.upgrade(schema.alembic_config(connection), revision)
        older = {
            table: {column["name"] for column in sa.inspect(connection).get_columns(table)}
            for table in sa.inspect(connection).get_table_names()
        }
    with engine.connect() as connection:
        connection.exec_driver_sql("ATTACH ? AS today", (str(today),))
        for table in Base.metadata.sorted_tables:
            known = [each.name for each in table.columns if each.name in older.get(table.name, ())]
            names = ", ".join(f'"{name}"' for name in known)
            if names:
                # The migration that made it has given the workspace a new name.
                connection.exec_driver_sql(f'DELETE FROM main."{table.name}"')
                insert = f'INSERT INTO main."{table.name}" ({names}) '
                connection.exec_driver_sql(insert + f'SELECT {names} FROM today."{table.name}"')
        connection.commit()
    engine.dispose()
    today.unlink()
    if "workspace" not in older:
        # Nor had settings and store of that time a name in common.
        (root / "store/workspace-id").unlink()
        settings = root / "dataengine.toml"
        lines = settings.read_text().splitlines(keepends=True)
        settings.write_text("".join(line for line in lines if not line.startswith("id = ")))
