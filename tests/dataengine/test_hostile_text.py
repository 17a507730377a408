"""Names, reviewers, comments that would move, colour, hide or run: commands only show them."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from dataengine.cli import app
from db import Decision, Mask, Purpose, RequestState, Review, ReviewProject, ReviewRequest
from pipelines.origins.origin import Origin
from pipelines.releases.attribution import ATTRIBUTION_FILE, write_attribution
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import FAST_INGEST
from tests.dataengine.conftest import Answer, Run
from tests.dataengine.conftest import run as run

CHECKOUT = Path(__file__).parents[2]
HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "c1\x9b2J\x85",
    "rtl\u202egpj\u2066",
    "[bold red]x[blink]",
    "=HYPERLINK(1)",
    "new\nline\rback\t",
    "byte\udcff",
    "zero\u200b\ufeff\u2028",
]
# SQLite keeps no lone surrogate.
TEXTS = [name.encode("utf-8", "replace").decode() for name in HOSTILE]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A crawl in which every name is hostile, and its workspace, reviewed by hostile people."""
    from typer.testing import CliRunner

    folder = tmp_path_factory.mktemp("hostile")
    crawl = folder / "crawl"
    crawl.mkdir()
    for seed, name in enumerate(HOSTILE):
        pixels = np.random.default_rng(seed).integers(0, 256, (200, 150, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(crawl / f"{name}.png")
        (crawl / f"broken {name}.jpg").write_bytes(b"\xff\xd8 not a photo")
        (crawl / f"other {name}.txt{name}").write_text("x")
    root = folder / "workspace"
    answer = CliRunner().invoke(app, ["-w", str(root), "ingest", str(crawl)], env=FAST_INGEST)
    assert answer.exit_code == 0, answer.output
    opened = Workspace(root, load_settings(root))
    with opened.engine.begin() as connection:
        now = datetime.now(UTC)
        ids = list(connection.scalars(sa.select(Mask.id).order_by(Mask.id)))
        connection.execute(sa.update(Mask).values(producer="\x1b[5m[red]sinet:x"))
        project = {"url": "http://x", "server_project_id": 1, "title": "x\x1b[31m", "nonce": "n"}
        connection.execute(sa.insert(ReviewProject).values(project))
        for mask_id in ids:
            portrait_id = connection.scalar(sa.select(Mask.portrait_id).where(Mask.id == mask_id))
            asked = {"mask_id": mask_id, "portrait_id": portrait_id, "key": str(mask_id)}
            asked |= {"purpose": Purpose.REVIEW, "replicate": 0, "drawn_at_random": True}
            asked |= {"project_id": 1, "state": RequestState.ANSWERED, "problem": "".join(TEXTS)}
            added = sa.insert(ReviewRequest).values(asked).returning(ReviewRequest.id)
            request_id = connection.scalar(added)
            for text in TEXTS:
                said = {"mask_id": mask_id, "request_id": request_id, "decision": Decision.ACCEPT}
                said |= {"reviewer": text, "reasons": [text], "comment": text}
                connection.execute(sa.insert(Review).values(said | {"decided_at": now}))
    opened.close()
    return root, crawl


def only_shows(answer: Answer) -> None:
    for line in (answer.out + answer.err).split("\n"):
        assert line.isprintable(), ascii(line)
    assert "unexpected" not in answer.err


COMMANDS = [
    ["status"], ["status", "--json"], ["list"], ["list", "--json"], ["failures"],
    ["review", "status"], ["verify"],
    ["rounds"], ["gc", "--dry-run"], ["forget", "--refused"], ["scores", "slices"],
    ["scores", "drift"], ["ingest", "CRAWL", "--dry-run"], ["ingest", "CRAWL"],
    ["ingest", "--retry-failed"], ["verify", "FILE"], ["ingest", "NOTHING"], ["explain", "NOTHING"],
    ["verify", "NOTHING"], ["forget", "NOTHING", "--yes"], ["export", "--out", "FILE"],
    ["predict", "NOTHING", "CRAWL", "--out", "NOTHING"], ["evaluate", "NOTHING", "--data", "CRAWL"],
    ["train", "--data", "NOTHING"], ["train", "--data", "CRAWL", "--config", "NOTHING"],
    ["convert", "NOTHING", "--out", "x.onnx"], ["ingest", "CRAWL", "--teacher", "onnx:NOTHING"],
    ["review", "push"], ["forget", "FILE"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_only_shows_hostile_text(
    made: tuple[Path, Path], run: Run, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, crawl = made
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9/\x1b[31m")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "\x1b[31mtoken")
    hostile = HOSTILE if {"FILE", "NOTHING"} & set(command) else [HOSTILE[0]]
    for name in hostile:
        given = {"CRAWL": crawl, "FILE": crawl / f"{name}.png", "NOTHING": Path(f"no {name}")}
        words = (given.get(word, word) for word in command)
        only_shows(run("-w", root, *(_argument(word) for word in words)))


def _argument(word: str | Path) -> str:
    return str(word).replace("onnx:NOTHING", "onnx:no \x1b[31m[red]")


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_explain_shows_file_reviewer_and_comment_as_they_are(
    made: tuple[Path, Path], run: Run, name: str
) -> None:
    root, crawl = made
    answer = run("-w", root, "explain", crawl / f"{name}.png")
    assert answer.code == 0, answer.err
    only_shows(answer)
    assert answer.out.count("[bold red]x[blink]") >= 3, "person, reason, comment"


def test_markup_in_names_is_seen_in_tables_and_lists(made: tuple[Path, Path], run: Run) -> None:
    root, _ = made
    for command in (["list"], ["review", "status"]):
        assert "[bold red]x[blink]" in run("-w", root, *command).out


def test_what_a_spreadsheet_would_run_is_text(tmp_path: Path) -> None:
    from types import SimpleNamespace
    from typing import Any, cast

    entries: list[Any] = []
    for number, text in enumerate(["=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1", *HOSTILE[:-2]]):
        origin = Origin(url=text, author=text, page=text, licence=text, licence_stated=text)
        entries.append(SimpleNamespace(name=str(number), split="train", origin=origin))
    write_attribution(tmp_path, cast(Any, entries))
    with (tmp_path / ATTRIBUTION_FILE).open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == len(entries) + 1
    for row in rows[1:]:
        for cell in row[2:]:
            assert cell.isprintable()
            assert cell.lstrip()[:1] not in "=+-@＝"


def test_people_are_told_by_one_function() -> None:
    """Whatever prints past it would print foreign text as it is."""
    allowed = {"dataengine/console/shared/text.py": 1, "dataengine/cli.py": 2}
    found = {}
    for file in (CHECKOUT / "dataengine").rglob("*.py"):
        if number := file.read_text(encoding="utf-8").count("typer.echo("):
            found[file.relative_to(CHECKOUT).as_posix()] = number
    assert found == allowed
