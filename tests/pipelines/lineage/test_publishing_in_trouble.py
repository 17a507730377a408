"""Publishing without token or rights, on a Hub in trouble, and on one that lies."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from huggingface_hub import constants

from dataengine.commands.publish import EPILOG
from pipelines.releases import hub as hub_module
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace
from tests.hub import TOKEN, FakeHub
from tests.object_storage import Fault, Road
from tests.publishing import REPO, assert_holds, publish, refusal
from tests.publishing import hub as hub
from tests.publishing import road as road
from tests.publishing import template as template
from tests.publishing import workspace as workspace

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
    lines = [*re.findall(r"dataengine (publish (?!s3:).*)", EPILOG), f"publish {REPO} --json"]
    assert len(lines) == 4
    code = f"""
import sys
from dataengine.cli import app
for line in {lines!r}:
    app(["-w", {str(tmp_path / "workspace")!r}, *line.split()], standalone_mode=False)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert TOKEN not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    would = next(line for line in lines if line.startswith("Would send"))
    assert would.endswith(f"to a new repository {REPO} (private), tag export-1")
    assert f"Published export-1 at {hub.url}/datasets/{REPO} (private): " in done.stdout
    assert not hub.repositories["anna/faces"].private
    assert json.loads(done.stdout[done.stdout.index("\n{\n") :])["tagged"] is False
