"""`--on ray`: the same end as on one machine, and one line where it cannot be."""

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from db import Image, Verdict, reader
from pipelines.ingest import run as ingesting
from pipelines.label_studio.fake import FakeGateway
from pipelines.networks import NetworkRef, Teacher, load_network
from pipelines.portraits import near_groups, near_pairs
from pipelines.portraits.near_pairs import near_shelf
from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.review.push import PushRequest, push_questions
from pipelines.rounds import relabel as relabelling
from pipelines.work import hands
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from sinet.bundled import BUNDLED
from tests.cluster_faults import FAULTS, Scene, disturbed, stop_driver
from tests.conftest import FAKES, FAST_INGEST
from tests.dataengine.conftest import Run
from tests.object_storage import server as storage
from tests.postgres import PASSWORD
from tests.postgres import server as postgres
from tests.ray_cluster import cluster
from tests.snapshots import differences, snapshot

# What one worker of a cluster has for itself, a core, each of two has here, too.
LIKE_A_CLUSTER = ("--workers", "2")


@dataclass(frozen=True)
class Shared:
    """A crawl in a bucket, and what its workspace is made of."""

    crawl: str
    bucket: str
    database: str


@pytest.fixture
def shared_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    """Photos (noise, one twice), one without a face, one that is none; an empty database."""
    for key, value in {**FAKES, **storage().environment()}.items():
        monkeypatch.setenv(key, value)
    rng = np.random.default_rng(0)
    with storage().bucket() as bucket, postgres().database(empty=True) as name:
        pictures = [rng.integers(0, 255, (300, 240, 3), np.uint8) for _ in range(20)]
        files = [cv2.imencode(".jpg", pixels)[1].tobytes() for pixels in pictures]
        files += [files[0], b"<html>", cv2.imencode(".png", np.zeros((300, 240), np.uint8))[1]]
        for number, data in enumerate(files):
            key = f"crawl/{number:02}.jpg"
            storage().client.put_object(Bucket=bucket, Key=key, Body=bytes(data))
        yield Shared(f"s3://{bucket}/crawl/", f"s3://{bucket}/ws", name)


def init(run: Run, place: Shared, folder: Path, *, password: str = "") -> Path:
    url = postgres().address(place.database) if password else postgres().url(place.database)
    told = run("init", folder, "--database", url, "--store", place.bucket)
    assert told.code == 0, told.err
    return folder


def test_a_cluster_ends_where_one_machine_does(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster().address)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    team = init(run, shared_place, tmp_path / "team")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(near_groups, "BLOCK_PHOTOS", 7)
        elsewhere.setattr(near_pairs, "Comparer", _no_hands)  # of this process
        told = run("-w", team, "ingest", shared_place.crawl, "--on", "ray", "--json")
    assert told.code == 0, told.err
    assert "2 workers on cores of 3 machines" in told.err
    for key, value in FAST_INGEST.items():
        monkeypatch.setenv(key, value)
    alone = run("-w", tmp_path / "alone", "ingest", shared_place.crawl, "--json")
    assert alone.code == 0, alone.err
    mine, theirs = (json.loads(each.out) for each in (alone, told))
    for each in (mine, theirs):
        del each["run"]["seconds"]
    assert theirs == mine
    assert differences(snapshot(tmp_path / "alone"), snapshot(team)) == []
    monkeypatch.delenv("DATAENGINE_ENGINE__WORKERS")
    again = run("-w", team, "ingest", shared_place.crawl, "--on", "ray", "--json")
    assert json.loads(again.out)["run"]["known"] == 23, "and nothing is done twice"
    assert json.loads(again.out)["run"]["portraits"] == 0
    expected = groups(tmp_path / "alone")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(near_pairs, "Comparer", _no_hands)  # nothing is left to compare
        assert groups(team) == expected
    # Nothing of a machine's is left but its cache.
    left = [path.name for path in cluster().folder.glob("cache-*/dataengine/elsewhere/*/*")]
    assert set(left) <= {"dataengine.toml", "locks"}


def groups(folder: Path) -> dict[str, str | None]:
    """Of near-duplicates, found now: the first photo of each photo's group."""
    workspace = Workspace(folder, load_settings(folder))
    shelf, compare = near_shelf(workspace), partial(near_pairs.compare_pairs, workspace)
    names = near_groups.changed_groups(workspace.engine, shelf, compare)
    with reader(workspace.engine).begin() as connection:
        sha256 = dict(connection.execute(sa.select(Image.id, Image.sha256)).tuples().all())
    workspace.close()
    return {sha256[photo]: sha256[first] for photo, first in names.tolist()}


def test_from_outside_of_the_cluster(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    team = init(run, shared_place, tmp_path / "team")
    with cluster().gate() as address:
        told = run("-w", team, "ingest", shared_place.crawl, "--on", address, "--json")
    assert told.code == 0, told.err
    assert "2 workers on cores of 3 machines" in told.err
    assert run("-w", tmp_path / "alone", "ingest", shared_place.crawl, "--workers", "0").code == 0
    assert differences(snapshot(tmp_path / "alone"), snapshot(team)) == []


def test_a_machine_without_the_network_is_named(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster().address)
    monkeypatch.delenv("DATAENGINE_TEACHER__NAME")
    monkeypatch.setattr(ingesting, "check_teacher", lambda _: None)  # it is here
    team = init(run, shared_place, tmp_path / "team")
    gone = tmp_path / "gone.onnx"
    told = run("-w", team, "ingest", shared_place.crawl, "--on", "ray", "--teacher", f"onnx:{gone}")
    assert told.code == 1
    assert told.err.splitlines()[-1].startswith("error: ")
    assert f"{gone}: no such ONNX file" in told.err.splitlines()[-1]


def ingested_beside(run: Run, place: Shared, folder: Path) -> tuple[Path, Path]:
    """The same crawl in a workspace that a cluster reaches, and in one that it does not."""
    team, alone = init(run, place, folder / "team"), folder / "alone"
    for each in (team, alone):
        told = run("-w", each, "ingest", place.crawl, "--workers", "0")
        assert told.code == 0, told.err
    return team, alone


def test_relabelling_on_a_cluster_ends_where_one_machine_does(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster().address)
    team, alone = ingested_beside(run, shared_place, tmp_path)
    shutil.copy(BUNDLED["sinet:bundled"], "student.safetensors")
    asked = ("relabel", "--network", "sinet:student.safetensors", "--json")
    told = run("-w", team, *asked, "--on", "ray")
    assert told.code == 0, told.err
    assert "on ray" in told.err
    mine = json.loads(run("-w", alone, *asked, *LIKE_A_CLUSTER).out)
    assert mine["portraits"] == 20
    assert json.loads(told.out) == mine
    assert differences(snapshot(alone), snapshot(team)) == []
    again = run("-w", team, *asked)
    assert json.loads(again.out)["portraits"] == 0, "nothing is done twice"


def test_signals_are_computed_on_a_cluster_as_on_one_machine(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster().address)
    monkeypatch.setenv("DATAENGINE_RELEASE__TEST_SHARE", "0")
    monkeypatch.setenv("DATAENGINE_REVIEW__SETTLE_SECONDS", "2")
    team, alone = ingested_beside(run, shared_place, tmp_path)
    for each in (team, alone):
        decide(each)
    told = run("-w", alone, "scores", "fit", "--on", "ray")
    assert told.code == 1
    assert "the workspace's rows are in a file of this machine" in told.err
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(hands.HandsHere, "work_through", _no_hands)
        told = run("-w", team, "scores", "fit", "--on", "ray")
    assert told.code == 0, told.err
    assert run("-w", alone, "scores", "fit").code == 0
    assert len(signals(alone)) == 20
    assert signals(team) == signals(alone)


def signals(folder: Path) -> dict[Any, Any]:
    """Of all masks."""
    return {key: row for key, row in snapshot(folder).items() if key[0] == "mask_signals"}


def decide(folder: Path) -> None:
    """Every other mask is accepted, and every other one rejected."""
    with closing(Workspace(folder, load_settings(folder))) as workspace:
        server = FakeGateway()
        request = PushRequest(verdicts=list(Verdict), order=Order.ID)
        push_questions(workspace, request, gateway=server)
        for number, task in enumerate(server.tasks.values()):
            server.answer(task.id, "reject" if number % 2 else "accept")
        pull_answers(workspace, gateway=server)


def test_a_machine_without_the_student_is_named(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster().address)
    team, _ = ingested_beside(run, shared_place, tmp_path)
    before = snapshot(team)
    student = tmp_path / "student.safetensors"
    shutil.copy(BUNDLED["sinet:bundled"], student)

    def here_alone(network: NetworkRef, **how: Any) -> Teacher:
        loaded = load_network(network, **how)
        student.unlink()
        return loaded

    monkeypatch.setattr(relabelling, "load_network", here_alone)
    told = run("-w", team, "relabel", "--network", f"sinet:{student}", "--on", "ray")
    assert told.code == 1
    last = told.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert last.endswith(f": {student}: no such file.")
    after = {key: row for key, row in snapshot(team).items() if key[0] != "job"}
    assert after == {key: row for key, row in before.items() if key[0] != "job"}


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("ray://127.0.0.1:1", "no Ray cluster answers there (connection refused)"),
        ("ray://nowhere.invalid", "no Ray cluster answers there"),
        ("ray://", "wants a host and maybe a port"),
        ("ray://a:b", "wants a host and maybe a port"),
        ("ray://key@host", "wants a host and maybe a port"),
        ("spark", "--on spark: give ray, or ray://HOST"),
        ("", "--on : give ray, or ray://HOST"),
    ],
)
def test_no_cluster_there(
    run: Run, tmp_path: Path, shared_place: Shared, on: str, message: str
) -> None:
    team = init(run, shared_place, tmp_path / "team")
    told = run("-w", team, "ingest", shared_place.crawl, "--on", on)
    assert told.code == 1
    assert message in told.err
    assert len(told.err.splitlines()) == 1
    assert json.loads(run("-w", team, "status", "--json").out)["photos"]["seen"] == 0


def test_what_a_cluster_cannot_reach(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    crawl = shared_place.crawl
    in_file, in_folder = tmp_path / "file", tmp_path / "folder"
    assert run("init", in_file, "--store", shared_place.bucket).code == 0
    database = postgres().url(shared_place.database)
    assert run("init", in_folder, "--database", database).code == 0
    for arguments, message in [
        (["-w", in_file, "ingest", crawl], "the workspace's rows are in a file of this machine"),
        (["-w", tmp_path / "new", "ingest", crawl], "rows are in a file of this machine"),
        (["-w", in_folder, "ingest", crawl], "the workspace's blobs are in a folder"),
        (["-w", in_folder, "ingest", crawl, "--workers", "0"], "--workers 0 is this process"),
    ]:
        told = run(*arguments, "--on", "ray")
        assert (told.code, len(told.err.splitlines())) == (1, 1)
        assert message in told.err
    assert not (tmp_path / "new").exists()


def test_relabelling_where_it_cannot_be(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    team = init(run, shared_place, tmp_path / "team")
    in_file, in_folder = tmp_path / "file", tmp_path / "folder"
    assert run("init", in_file, "--store", f"{shared_place.bucket}-of-file").code == 0
    with postgres().database(empty=True) as name:
        assert run("init", in_folder, "--database", postgres().url(name)).code == 0
        for folder, more, message in [
            (in_file, [], "the workspace's rows are in a file of this machine"),
            (in_folder, [], "the workspace's blobs are in a folder"),
            (team, ["--workers", "0"], "--workers 0 is this process"),
            (team, ["--on", "spark"], "--on spark: give ray, or ray://HOST"),
            (team, [], "127.0.0.1:1: no Ray cluster answers there (connection refused)"),
            (team, ["--network", "auto"], "another network on machines with a GPU"),
        ]:
            told = run("-w", folder, "relabel", "--network", "fake", "--on", "ray", *more)
            assert (told.code, len(told.err.splitlines())) == (1, 1)
            assert message in told.err
        monkeypatch.setitem(sys.modules, "ray", None)
        told = run("-w", team, "relabel", "--network", "fake", "--on", "ray")
        assert (told.code, len(told.err.splitlines())) == (1, 1)
        assert "--on ray needs the Python package ray" in told.err


def test_photos_that_a_cluster_cannot_reach(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster().address)
    team = init(run, shared_place, tmp_path / "team")
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.jpg").write_bytes(b"no photo")
    (tmp_path / "masks").mkdir()
    for arguments, message in [
        ([shared_place.crawl, "--masks", tmp_path / "masks"], "masks are on this machine"),
        ([raw], f"{raw / 'a.jpg'} is on this machine"),
    ]:
        told = run("-w", team, "ingest", *arguments, "--on", "ray")
        assert told.code == 1
        assert message.replace("masks are", f"masks in {tmp_path / 'masks'} are") in told.err
    assert json.loads(run("-w", team, "status", "--json").out)["photos"]["seen"] == 0
    with monkeypatch.context() as stopped:
        stopped.setattr(hands.HandsHere, "work_through", _no_hands)
        run("-w", team, "ingest", raw)
    assert json.loads(run("-w", team, "status", "--json").out)["photos"]["seen"] == 1
    told = run("-w", team, "ingest", shared_place.crawl, "--on", "ray")
    assert told.code == 1
    assert f"{raw / 'a.jpg'} is on this machine" in told.err


def test_ray_that_is_not_installed(
    run: Run, tmp_path: Path, shared_place: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    team = init(run, shared_place, tmp_path / "team")
    told = run("-w", team, "ingest", shared_place.crawl, "--on", "ray")
    assert told.code == 1
    assert told.err == (
        "error: --on ray needs the Python package ray, which is not installed: `pip install "
        "'portrait-dataengine[cluster]'`\n"
    )


def _no_hands(*_: object) -> None:
    raise KeyboardInterrupt


def disturb(
    run: Run,
    place: Shared,
    folder: Path,
    faults: Sequence[Callable[[Scene], None]],
    seed: int = 0,
) -> Scene:
    """One disturbed run, which ends as the undisturbed one beside it."""
    team = init(run, place, folder / "team")
    alone = run("-w", folder / "alone", "ingest", place.crawl, "--workers", "0")
    assert alone.code == 0, alone.err
    expected = snapshot(folder / "alone")
    jobs = sum(key[0] == "job" for key in expected)
    scene = disturbed(
        cluster(),
        ["-w", str(team), "ingest", place.crawl, "--on", "ray"],
        {**FAKES, **cluster().environment, "RAY_ADDRESS": cluster().address},
        postgres().url(place.database),
        faults,
        jobs,
        seed,
    )
    assert differences(expected, snapshot(team)) == [], scene.log
    assert scene.holders() == {}
    return scene


def test_whatever_dies_the_end_is_the_same(run: Run, tmp_path: Path, shared_place: Shared) -> None:
    disturb(run, shared_place, tmp_path, FAULTS[:5])


def test_a_run_that_is_stopped_goes_on(run: Run, tmp_path: Path, shared_place: Shared) -> None:
    """Ctrl-C, in the midst of the work; then the same command again."""
    scene = disturb(run, shared_place, tmp_path, [stop_driver])
    assert scene.driver.runs == 2, scene.log


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(7))
def test_whatever_dies_however_often_the_end_is_the_same(
    run: Run, tmp_path: Path, shared_place: Shared, seed: int
) -> None:
    chance = random.Random(seed)
    disturb(run, shared_place, tmp_path, [*chance.sample(FAULTS, 7), chance.choice(FAULTS)], seed)
