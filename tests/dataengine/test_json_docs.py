"""docs/json.md is true: what each command prints has the keys and types it says, and no others."""

import hashlib
import json
import math
import os
import re
import shutil
import sqlite3
import typing
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db import Split
from pipelines.certify.attempts import Attempt
from pipelines.certify.certifying import Certification
from pipelines.certify.findings import AuditedSlice, Findings
from pipelines.doubt.drift import RoundDrift
from pipelines.doubt.slices import SliceLine
from pipelines.label_studio.fake import FakeGateway
from pipelines.label_studio.gateway import Brush
from pipelines.label_studio.rle import encode_mask
from pipelines.lineage.explaining import Explanation
from pipelines.lineage.forgetting import Containing, Photo
from pipelines.lineage.history import (
    MaskHistory,
    PhotoHistory,
    PortraitHistory,
    ReleaseHistory,
    ReviewHistory,
    RunHistory,
)
from pipelines.lineage.report import Report
from pipelines.networks.class_scoring import ClassesScored
from pipelines.networks.slicing import SliceScore, WorstSlice
from pipelines.origins.origin import Origin
from pipelines.pages.difference import Difference
from pipelines.pages.report import Reported
from pipelines.portraits.failures import Failure
from pipelines.portraits.forgotten import Refused
from pipelines.portraits.funnel import Funnel, PhotoCounts
from pipelines.portraits.listing import PortraitLine
from pipelines.portraits.reviewer_errors import Rate, ReviewerErrors
from pipelines.portraits.splits import split_of
from pipelines.releases.audited_slices import AuditedPhotos
from pipelines.releases.building import write_checksums
from pipelines.releases.negative_audit import JudgedAudit
from pipelines.review.pull import PullResult
from pipelines.review.push import PushResult
from pipelines.review.status import ReviewCounts, ReviewerCounts
from pipelines.review.tags import PulledTags
from pipelines.rounds.ablation_table import AblationRow
from pipelines.rounds.gate import Gate
from pipelines.rounds.history import RoundLine
from pipelines.workspace.settings import ReleaseSettings
from sinet.benchmark import Row
from sinet.checkpoint import Model, save_checkpoint
from sinet.clicks.click import Click
from sinet.evaluate import Scores
from sinet.files.releases import CHECKSUMS_FILE
from sinet.matting import MatteScore
from sinet.metrics import Interval
from sinet.metrics.matte import MatteErrors
from sinet.models import ListedNetwork
from sinet.networks import build_network
from sinet.normalisation import InputSpec
from tests.dataengine.conftest import COMMANDS, Run
from tests.dataengine.json_page import PAGE, Page, Reading, matches, read_page
from tests.hub import FakeHub, lead_to
from tests.sinet.many_classes import make_classes
from tests.turned import Turned, photos, surroundings

# In this order: what is typed after `dataengine -w portraits`, up to `--json`.
LINES = (
    "models",
    "ingest extra --dry-run",
    "ingest paired --masks drawn --origin origins.csv --dry-run",
    "ingest extra",
    "ingest paired --masks drawn --origin origins.csv",
    "failures",
    "confirm extra/black.png extra/tested.png raw/002.png --by anna",
    "confirm --out sample.txt --audit",
    "confirm extra/dark-1.png --audit --by anna",
    "status",
    "list",
    "report page.html --pictures 20",
    "gallery pull --by anna --data-dir gallery",
    "scores show",
    "scores slices",
    "scores drift",
    "review plan --target-error 0.4 --confidence 0.6",
    "review push --limit 20",
    "review pull",
    "review status",
    "scores fit",
    "certify --max-error 0.4 --confidence 0.6 --seed 1",
    "certify --abandon",
    "certify --max-error 0.4 --confidence 0.6 --audit 12 --seed 1",
    "review push --limit 1",
    "review pull",
    "review status",
    "certify --max-error 0.4 --confidence 0.6 --audit 12 --seed 1",
    "export --out out --negatives",
    "train --data release --config quick.toml --out run",
    "train --round 1 --config quick.toml --epochs 2",
    "rounds",
    "relabel --round 1",
    "relabel --network broken.safetensors",
    "failures",
    "train --round 2 --config quick.toml --epochs 1 --negatives",
    "diff 1 2 --html changed.html",
    "diff release moved",
    "evaluate run/last.safetensors --data release --split train --limit 2 --worst 1 --out x.png",
    "evaluate run/last.safetensors --data out --split all --compare bundled --resolution 64",
    "evaluate bundled --compare run/last.safetensors --data release --split all --slices",
    "evaluate run/last.safetensors --data release --split all --slices --attributes hats.csv",
    "train --data scenes --config quick.toml --epochs 1 --out seen",
    "evaluate seen/last.safetensors --data scenes --classes",
    "predict run/last.safetensors raw/001.png raw/broken.png --out predicted",
    "convert run/last.safetensors --out run.onnx --check more",
    "web page --network run/last.safetensors",
    "bench models sinet --data release --epochs 1 --side 32 --runs 1 --out bench",
    "bench ablations --rows sinet-lambda-0 --data release --epochs 1 --side 32 --runs 1",
    "explain raw/001.png:75,100",
    "explain asked.jpg",
    "explain paired/350.png",
    "verify",
    "verify release",
    "export --out mattes --alpha",
    "evaluate run/last.safetensors --data mattes --split all --limit 2 --matte",
    "export --out hub --format hf",
    "publish anna/portraits",
    "backup saved",
    "restore saved restored",
    "gc --dry-run",
    "forget raw/001.png --yes",
    "explain raw/001.png",
    "ingest raw/001.png copy.jpg",
    "forget --refused",
    "forget raw/001.png --lift",
    "verify damaged",
    "ingest late --teacher run/last.safetensors",
)
CODES = {"verify damaged": 1, "diff release moved": 1}

SAME = {
    "review push": PushResult,
    "review pull": PullResult,
    "gallery pull": PulledTags,
    "certify": Certification,
    "confirm --audit": JudgedAudit,
    "explain": Explanation,
    "failures": Failure,
    "list": PortraitLine,
    "scores slices": SliceLine,
    "scores drift": RoundDrift,
    "forget --refused": Refused,
    "funnel": Funnel,
    "photo counts": PhotoCounts,
    "review": ReviewCounts,
    "reviewer": ReviewerCounts,
    "error rates": ReviewerErrors,
    "rate": Rate,
    "attempt": Attempt,
    "findings": Findings,
    "audited slice": AuditedSlice,
    "run": RoundLine,
    "gate": Gate,
    "interval": Interval,
    "audited photos": AuditedPhotos,
    "measures": Scores,
    "matte score": MatteScore,
    "matte errors": MatteErrors,
    "slice": SliceScore,
    "worst slice": WorstSlice,
    "network": ListedNetwork,
    "measured network": Row,
    "evaluate --classes": ClassesScored,
    "ablation": AblationRow,
    "history": PortraitHistory,
    "photo": PhotoHistory,
    "origin": Origin,
    "mask": MaskHistory,
    "decision": ReviewHistory,
    "place": ReleaseHistory,
    "training run": RunHistory,
    "report": Reported,
    "diff": Difference,
    "verification": Report,
    "forgotten photo": Photo,
    "containing release": Containing,
}
"""What is printed as it is in Python: there the types say what may be null."""


def command_of(line: str) -> str:
    """The longest command on the page that a line begins with, with the option that varies it."""
    words = line.split()
    name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
    varied = (f"{name} {word}" for word in words if word.startswith("--"))
    return next((each for each in varied if each in read_page().prints), name)


def prepare(folder: Path, server: FakeGateway) -> None:
    """Lay out what the lines name, with something of everything that may go wrong."""
    photos(folder / "extra", range(300, 320))
    Image.new("RGB", (300, 400)).save(folder / "extra/black.png")
    write_tested(folder / "extra/tested.png")
    for number in (1, 2):  # somebody says that one of them shows a person
        Image.new("RGB", (300, 400), (0, 0, number)).save(folder / f"extra/dark-{number}.png")
        said = json.dumps({"page": f"https://site-{number}.example.org/"})
        (folder / f"extra/dark-{number}.json").write_text(said)
    (folder / "extra/notes.txt").write_text("no photo")
    (folder / "extra/more.zip").write_bytes(b"PK\x03\x04")
    (folder / "extra/cut.tar").write_bytes(b"no tar")
    os.mkfifo(folder / "extra/pipe")
    for broken in ("extra/broken.png", "raw/broken.png"):
        (folder / broken).write_bytes((folder / "raw/000.png").read_bytes()[:400])
    photos(folder / "paired", range(350, 352))
    (folder / "drawn").mkdir()
    mask = Image.new("L", (150, 200))
    mask.paste(255, (30, 40, 120, 200))
    mask.save(folder / "drawn/350.png")
    mask.save(folder / "drawn/nobody.png")
    images = sorted((folder / "release/images").iterdir())
    rows = [f"{image.name},{number % 2}\n" for number, image in enumerate(images)]
    (folder / "hats.csv").write_text("".join(["file,hat\n", *rows]))
    (folder / "gallery").mkdir()
    tag = {"key": "a" * 32, "mask": 1, "tag": "fix", "at": "2026-01-02T03:04:05+00:00"}
    (folder / "gallery/tags.jsonl").write_text(json.dumps(tag) + "\n")
    (folder / "origins.csv").write_text(
        "file,url,page,author,license,downloaded_at,consent\n350.png,https://example.org/a.png,"
        "https://example.org/,Ann,CC-BY-4.0,2026-01-02T03:04:05Z,yes\n"
    )
    photos(folder / "late", range(400, 401))
    Image.open(folder / "raw/001.png").save(folder / "copy.jpg", quality=95)
    network = build_network("sinet").eval()
    next(network.parameters()).data.fill_(math.nan)
    spec = InputSpec(height=32, width=32)
    save_checkpoint(folder / "broken.safetensors", Model(network, spec))
    make_classes(folder / "scenes", 6)
    shutil.copytree(folder / "release", folder / "damaged")
    (folder / "damaged/manifest.jsonl").write_text("")
    moved = Path(shutil.copytree(folder / "release", folder / "moved"))
    manifest = (moved / "manifest.jsonl").read_text().replace('"split": "test"', '"split": "train"')
    mask = next((moved / "masks").iterdir())  # and one that is another
    was = hashlib.sha256(mask.read_bytes()).hexdigest()
    Image.open(mask).rotate(180).save(mask)
    now = hashlib.sha256(mask.read_bytes()).hexdigest()
    (moved / "manifest.jsonl").write_text(manifest.replace(was, now))
    (moved / CHECKSUMS_FILE).unlink()
    write_checksums(moved)


def write_tested(file: Path) -> None:
    """A photo of nobody, dark as the fakes want it, that falls to the split `test`."""
    for seed in range(250):
        noise = np.random.default_rng(seed).integers(0, 7, (400, 300, 3), np.uint8)
        Image.fromarray(noise).save(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if split_of(digest, ReleaseSettings()) is Split.TEST:
            return
    raise AssertionError("no noise falls to the split `test`")


@pytest.fixture(scope="module")
def page() -> Page:
    return read_page()


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with closing(FakeHub()) as made:
        yield made


@pytest.fixture
def reading(
    page: Page,
    turned: Turned,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    hub: FakeHub,
) -> Reading:
    """What all lines printed."""
    folder = Path(shutil.copytree(turned.folder, tmp_path / "turned"))
    server = turned.server
    prepare(folder, server)
    surroundings(monkeypatch, folder, server)
    lead_to(hub.url, monkeypatch)
    found = Reading(page=page)
    for line in LINES:
        if line == "review pull":
            answer_open(folder, server)
        answer = run("-w", "portraits", *line.split(), "--json")
        assert answer.code == CODES.get(line, 0), (line, answer.err)
        command = command_of(line)
        found.read(json.loads(answer.out), page.prints[command], command)
    return found


def asked_plainly(folder: Path) -> set[int]:
    """Tasks whose answers decide: those to a honeypot or an audit do not."""
    with closing(sqlite3.connect(folder / "portraits/dataengine.db")) as database:
        query = "SELECT task_id FROM review_request WHERE purpose = 'review'"
        return {task_id for (task_id,) in database.execute(query)}


def answer_open(folder: Path, server: FakeGateway) -> None:
    """Answer what is open; what was asked first, `asked.jpg`, is fixed when people come again."""
    plain = asked_plainly(folder)
    waiting = [task for task in server.tasks.values() if not task.annotations]
    for number, task in enumerate(waiting):
        server.answer(task.id, "reject" if number % 3 == 0 else "accept")
    asked = folder / "asked.jpg"
    if not asked.exists():
        name = Path(next(each for each in waiting if each.id in plain).image_url).name
        shutil.copy(next((folder / "portraits/store").rglob(name)), asked)
        return
    digest = hashlib.sha256(asked.read_bytes()).hexdigest()
    task = next(
        each for each in server.tasks.values() if each.id in plain and digest in each.image_url
    )
    shown = task.mask
    assert shown is not None
    person = np.zeros((shown.height, shown.width), np.bool_)
    person[shown.height // 4 :, shown.width // 4 : -shown.width // 4] = True
    drawn = Brush(encode_mask(person), shown.width, shown.height)
    server.delete_answer(task.id, task.annotations[0].id)
    server.edit(task.id, server.answer(task.id, "fix", regions=[drawn]), comment="the hair")
    clicked = [Click(x=0.5, y=0.25, positive=True)]
    task.annotations[-1] = replace(task.annotations[-1], marks=clicked)


def test_the_page_is_true(page: Page, reading: Reading) -> None:
    assert reading.wrong == []
    never = {
        f"{name}: {key}"
        for name, rows in page.objects.items()
        for key in rows
        if (name, key) not in reading.told
    }
    assert never == set()


def test_every_command_is_on_the_page(page: Page) -> None:
    with_json = {
        name
        for name, command in COMMANDS.items()
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert {command_of(line) for line in LINES} == set(page.prints)
    assert {name for name in page.prints if "--" not in name} == with_json
    without = re.search(r"^(`init`.*?) have no `--json`", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert without is not None
    assert set(re.findall(r"`([^`]+)`", without[1])) == COMMANDS.keys() - with_json


def test_links_lead_somewhere() -> None:
    for name, anchor in re.findall(r"\[([^\]]+)\]\(#([\w-]+)\)", PAGE):
        assert anchor == name.lower().replace(" ", "-")
        assert re.search(rf"^#+ {name}$", PAGE, flags=re.MULTILINE | re.IGNORECASE), name


@pytest.mark.parametrize("name", SAME)
def test_types_are_those_of_the_code(page: Page, name: str) -> None:
    hints = typing.get_type_hints(SAME[name])
    wrong = [
        f"{key} is {kind}, in Python {hints[key]}"
        for key, kind in page.objects[name].items()
        if key in hints and not matches(page, kind, hints[key])
    ]
    assert wrong == []
