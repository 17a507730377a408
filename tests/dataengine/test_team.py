"""The page for teams, word for word: machines with a database and a bucket in common, no folder."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
import yaml

from db import Mask, MaskSource, open_engine
from pipelines.label_studio.server import VERSION
from tests.conftest import CHECKOUT, FAST_INGEST
from tests.dataengine.conftest import Run
from tests.dataengine.test_documented_commands import PAGES
from tests.object_storage import server
from tests.postgres import server as postgres

PAGE = "docs/team.md"
LABELLING, TRAINING = ("one", "two"), "trainer"


def test_a_team_works_as_its_page_says(
    run: Run, tmp_path: Path, s3_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in FAST_INGEST.items():
        monkeypatch.setenv(key, value)
    bucket = s3_folder.removeprefix("s3://").partition("/")[0]
    rng = np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 255, (300, 240, 3), np.uint8)
        data = cv2.imencode(".jpg", pixels)[1].tobytes()
        server().client.put_object(Bucket=bucket, Key=f"crawls/2024/{number}.jpg", Body=data)
    lines = [shlex.split(line) for line in PAGES[PAGE]]
    assert [line[0 if line[0] == "init" else 2] for line in lines] == [
        "init", "ingest", "status", "export", "verify", "backup",
    ]  # fmt: skip
    with postgres().database(empty=True) as name:
        here = {
            "postgresql://anna@db.example.org/portraits": postgres().url(name),
            "s3://bucket/portraits": s3_folder,
            "s3://crawls/2024/": f"s3://{bucket}/crawls/2024/",
            "portraits-1": str(tmp_path / "portraits-1"),
            "saved": str(tmp_path / "saved"),
        }

        def type_on(machine: str, line: list[str], *more: str) -> str:
            told = [str(tmp_path / machine) if each == "team" else each for each in line]
            answer = run(*(here.get(each, each) for each in told), *more)
            assert answer.code == 0, answer.err
            return answer.out

        init, ingest, status, export, *rest = lines
        for machine in (*LABELLING, TRAINING):
            type_on(machine, init)
        tallies = [json.loads(type_on(each, ingest, "--json"))["run"] for each in LABELLING]
        assert [tally["portraits"] for tally in tallies] == [6, 0], "the second finds nothing left"
        for machine in (*LABELLING, TRAINING):
            assert json.loads(type_on(machine, status, "--json"))["portraits"] == 6
        engine = open_engine(postgres().url(name))
        with engine.begin() as connection:  # as if people had brought the masks
            connection.execute(sa.update(Mask).values(source=MaskSource.IMPORT))
        engine.dispose()
        type_on(TRAINING, export)
        for line in rest:
            type_on(TRAINING, line)
    assert list((tmp_path / "portraits-1/images").iterdir())
    assert len(list((tmp_path / "saved").rglob("*.jpg"))) == 6


COMPOSE = CHECKOUT / "examples/team/compose.yaml"
PASSWORDS = dict.fromkeys(
    ["POSTGRES_PASSWORD", "STORE_PASSWORD", "LABEL_STUDIO_USERNAME", "LABEL_STUDIO_PASSWORD"],
    "correct-horse",
)


def test_the_containers_are_described() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    for name, service in services.items():
        image, _, version = service["image"].partition(":")
        assert re.search(r"\d", version), f"{name}: {image} has no version"
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} answers strangers"
        secrets = {
            value for key, value in service.get("environment", {}).items()
            if re.search("PASSWORD|SECRET|API_KEY", key)
        }  # fmt: skip
        assert all(re.fullmatch(r"\$\{\w+:(\?.+|-)\}", each) for each in secrets), name
    assert services["label-studio"]["image"] == f"heartexlabs/label-studio:{VERSION}"
    assert "docker compose up" in text
    tool = shutil.which("docker-compose")
    if tool is None:
        return
    config = [tool, "--file", str(COMPOSE), "config"]
    nothing_said = {key: value for key, value in os.environ.items() if key not in PASSWORDS}
    refused = subprocess.run(config, env=nothing_said, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "a password for the database" in refused.stderr
    told = subprocess.run(config, env=nothing_said | PASSWORDS, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert set(yaml.safe_load(told.stdout)["services"]) >= {"database", "store", "label-studio"}


def test_a_container_joins_once(tmp_path: Path, s3_folder: str) -> None:
    with postgres().database(empty=True) as name:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WORKSPACE": str(tmp_path / "team"),
            "DATABASE": postgres().url(name),
            "STORE": s3_folder,
        }
        for _ in range(2):
            line = ["sh", str(CHECKOUT / "examples/team/join"), "status", "--json"]
            told = subprocess.run(line, env=environment, capture_output=True, text=True)
            assert told.returncode == 0, told.stderr
            assert json.loads(told.stdout[told.stdout.index("{") :])["portraits"] == 0


def test_the_page_is_linked() -> None:
    assert "(docs/team.md)" in (CHECKOUT / "README.md").read_text(encoding="utf-8")
