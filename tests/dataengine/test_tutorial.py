"""docs/tutorial.md, command by command, on the hundred photos whose figures it shows.

On fakes, and cut short, its lines run in `tests/dataengine/test_documented_commands.py`.
"""

import csv
import json
import os
import re
import shutil
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import pipelines
from pipelines.label_studio import connecting
from pipelines.label_studio.fake import FakeGateway
from tests.conftest import CHECKOUT
from tests.dataengine.conftest import Run

PAGE = (CHECKOUT / "docs/tutorial.md").read_text(encoding="utf-8")
STEP = re.compile(r"```sh\n(.*?)```(?:\n\n```\n(.*?)```)?", re.DOTALL)
PHOTOS, MORE = 100, 20
REJECTED = {
    f"gov18f_{number:05}.jpg" for number in (19, 27, 118, 170, 187, 188, 222, 243, 249, 264)
}
"""Photos of the masks that were rejected by eye."""
MINUTES = 15


def copy_photos(shared: Path) -> None:
    """Make `raw` of the largest photos in the public domain with one face, `more` of the next."""
    crawl = shared / "data/crawl/web"
    with (crawl / "manifest.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["licence_as_stated"].startswith("CC0") and row["detected_faces"] == "1"
        ]
    rows.sort(key=lambda row: (-int(row["width"]) * int(row["height"]), row["file"]))
    for folder, chosen in (("raw", rows[:PHOTOS]), ("more", rows[PHOTOS : PHOTOS + MORE])):
        Path(folder).mkdir()
        for row in chosen:
            shutil.copy(crawl / "images" / row["file"], folder)


def judge(server: FakeGateway) -> None:
    """Answer all questions as they were answered by eye."""
    with closing(pipelines.open_workspace("portraits")) as workspace:
        photo_of = {
            Path(line.portrait_path).stem: Path(str(line.photo_path)).name
            for line in pipelines.list_portraits(workspace)
        }
    for task in list(server.tasks.values()):
        photo = photo_of[Path(task.image_url).stem]
        if not task.annotations:
            server.answer(task.id, "reject" if photo in REJECTED else "accept")


def words(text: str) -> set[str]:
    """Of an output: what does not differ from run to run or between terminals."""
    return {word for word in text.split() if not re.search(r"\d|…|://", word)}


@pytest.mark.campaign
def test_the_tutorial(run: Run, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeGateway(began=datetime.now(UTC))
    monkeypatch.setattr(connecting, "connect", lambda _workspace: server)
    monkeypatch.setenv("COLUMNS", "100")
    copy_photos(shared)
    began, transcript = time.monotonic(), []
    for lines, told in STEP.findall(PAGE):
        printed = ""
        for line in re.findall(r"\bdataengine (-w .*)", lines):
            if "review server" in line:  # tests/pipelines/review/test_real_server.py
                continue
            if "review pull" in line:
                judge(server)
            if "explain" in line:
                item = min(Path("dataset/images").iterdir()).stem
                line = re.sub(r"(?<=images/)[\w-]+", item, line)
            begun = time.monotonic()
            answer = run(*line.replace(" --open", "").split())
            seconds = time.monotonic() - begun
            assert answer.code == 0, f"dataengine {line}\n{answer.err}"
            printed += answer.err + answer.out
            transcript.append(f"$ dataengine {line}   # {seconds:.0f} s\n{answer.err}{answer.out}")
        assert words(told) <= words(printed), f"{lines}\nprinted\n{printed}"
    minutes = (time.monotonic() - began) / 60
    if kept := os.environ.get("TUTORIAL_TRANSCRIPT"):
        Path(kept).write_text("\n".join(transcript), encoding="utf-8")
    assert minutes < MINUTES
    (student,) = [
        line for line in json.loads(run("-w", "portraits", "rounds", "--json").out)
        if line["is_current"]
    ]  # fmt: skip
    assert student["promoted"]
    assert student["metrics"]["iou"] > 0.95
