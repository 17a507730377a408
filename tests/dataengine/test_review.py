"""`review` on the command line: what it prints, and how it fails."""

import json
import shutil
import socket
from pathlib import Path

import pytest

from pipelines.label_studio import connecting
from pipelines.label_studio.fake import FakeGateway, Fault
from pipelines.label_studio.server import default_data_dir
from pipelines.review.choosing import Order
from tests.conftest import Crawl
from tests.dataengine.conftest import Run

NOWHERE = "http://127.0.0.1:9"
ALL_VERDICTS = ("--verdict", "candidate", "--verdict", "review", "--verdict", "rejected")


@pytest.fixture(autouse=True)
def _no_server_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)


@pytest.fixture
def root(ingested: Crawl, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested.workspace, tmp_path / "workspace"))


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    fake = FakeGateway()
    monkeypatch.setattr(connecting, "connect", lambda _workspace: fake)
    return fake


def test_push_pull_status(run: Run, root: Path, gateway: FakeGateway) -> None:
    answer = run("-w", root, "review", "push", *ALL_VERDICTS)
    assert (answer.code, answer.err) == (0, "")
    assert "3 tasks sent to 'portraits'" in answer.out
    assert "0 masks are left" in answer.out
    assert answer.out.endswith("http://fake/projects/1/data?labeling=1\n")
    first, second, third = gateway.tasks
    gateway.answer(first, "accept", seconds=2)
    gateway.answer(second, "reject", seconds=4, reasons=["bad_photo"])
    gateway.answer(third, "fix")
    pulled = run("-w", root, "review", "pull")
    assert pulled.code == 0
    assert pulled.out == "1 accept, 1 reject\n"
    assert "it is the one that was shown; see http://fake/projects/1/data?task=" in pulled.err
    assert run("-w", root, "review", "pull").out == "nothing new\n"
    shown = run("-w", root, "review", "status")
    lines = {" ".join(line.split()) for line in shown.out.splitlines()}
    assert {"pushed 3", "waiting 1", "accepted 1", "rejected 1", "fixed 0"} <= lines
    assert "ann@example.org 2 1 1 0 3.0 s –" in lines
    assert "problem: portrait" in shown.out


def test_numbers_for_scripts(run: Run, root: Path, gateway: FakeGateway) -> None:
    pushed = json.loads(run("-w", root, "review", "push", "--limit", "1", "--json").out)
    assert (pushed["new"], pushed["sent"]) == (1, 1)
    gateway.answer(min(gateway.tasks), "accept")
    pulled = json.loads(run("-w", root, "review", "pull", "--json").out)
    assert pulled["decisions"] == {"accept": 1}
    status = json.loads(run("-w", root, "review", "status", "--json").out)
    assert (status["pushed"], status["accepted"], status["waiting"]) == (1, 1, 0)
    assert status["reviewers"]["ann@example.org"]["median_seconds"] == 2.0
    assert json.loads(run("-w", root, "status", "--json").out)["review"] == status


def test_watching_survives_a_server_that_is_away(
    run: Run, root: Path, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("-w", root, "review", "push")
    gateway.fail("updated_tasks", Fault.UNREACHABLE)
    naps = iter([lambda: gateway.answer(min(gateway.tasks), "accept"), lambda: None])

    def sleep(seconds: float) -> None:
        assert seconds == 30
        nap = next(naps, None)
        if nap is None:
            raise KeyboardInterrupt
        nap()

    monkeypatch.setattr("pipelines.review.pull.time.sleep", sleep)
    answer = run("-w", root, "review", "pull", "--watch", "30")
    assert answer.code == 0
    assert "cannot be reached" in answer.err
    assert answer.out == "1 accept\n"


@pytest.mark.parametrize(
    ("variables", "arguments", "pattern"),
    [
        ({}, ["push"], "which Label Studio? Set LABEL_STUDIO_URL"),
        ({"LABEL_STUDIO_URL": NOWHERE}, ["pull"], "LABEL_STUDIO_API_KEY is not set"),
        (
            {"LABEL_STUDIO_URL": NOWHERE, "LABEL_STUDIO_API_KEY": "sesame"},
            ["push"],
            f"{NOWHERE} cannot be reached",
        ),
        ({"DATAENGINE_REVIEW__URL": NOWHERE, "LABEL_STUDIO_API_KEY": "sesame"}, ["pull"], NOWHERE),
        (
            {"LABEL_STUDIO_URL": "sesame street", "LABEL_STUDIO_API_KEY": "sesame"},
            ["pull"],
            "is not the URL of a server",
        ),
        ({}, ["server", "--data-dir", "/dev/null/x"], "choose another --data-dir"),
    ],
)
def test_an_error_is_one_line(
    run: Run,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    arguments: list[str],
    pattern: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    answer = run("-w", root, "review", *arguments)
    assert (answer.code, answer.out) == (1, "")
    (line,) = (each for each in answer.err.splitlines() if not each.startswith("Starting"))
    assert line.startswith("error: ")
    assert pattern in line
    assert "sesame" not in line.replace("sesame street", "")


def test_a_verdict_that_there_is_not(run: Run, root: Path) -> None:
    answer = run("-w", root, "review", "push", "--verdict", "candidate", "--verdict", "good")
    assert answer.code == 2
    assert "'good' is not one of 'candidate', 'review', 'rejected'" in answer.err


def test_the_server_of_a_workspace_keeps_its_secrets_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    one, other = (default_data_dir(tmp_path / name / "portraits") for name in ("a", "b"))
    assert one != other
    assert one.is_relative_to(tmp_path / "home" / "dataengine")
    assert one.name.startswith("portraits-")


def test_a_port_in_use_is_refused(run: Run, root: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        answer = run("-w", root, "review", "server", "--port", port, "--data-dir", tmp_path / "ls")
    assert answer.code == 1
    assert f"port {port} is in use" in answer.err
    assert not (tmp_path / "ls").exists()


def test_orders_are_passed_on(run: Run, root: Path, gateway: FakeGateway) -> None:
    for order in Order:
        assert run("-w", root, "review", "push", "--limit", "1", "--order", order).code == 0
