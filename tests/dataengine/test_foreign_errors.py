"""What the machine and parsers refuse is one clear line, not a request to report it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from db import Mask, explain
from pipelines.workspace.errors import explain_foreign
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl
from tests.dataengine.conftest import Run
from tests.dataengine.conftest import run as run

LONG = "x" * 300


@pytest.mark.parametrize(
    "command",
    [
        ["ingest", LONG], ["ingest", ".", "--masks", LONG], ["explain", LONG], ["verify", LONG],
        ["forget", LONG, "--yes"], ["forget", "--lift", LONG], ["export", "--out", LONG],
        ["init", LONG],
        ["evaluate", "sinet:bundled", "--data", LONG], ["train", "--data", LONG],
        ["train", "--data", ".", "--config", LONG], ["demo", LONG],
        ["predict", "sinet:bundled", LONG, "--out", "out"],
        ["convert", "sinet:bundled", "--out", f"{LONG}.onnx"],
        ["ingest", ".", "--teacher", f"onnx:{LONG}"],
    ],
    ids=lambda command: " ".join(command).replace(LONG, "LONG"),
)  # fmt: skip
def test_a_name_that_is_too_long(ingested: Crawl, run: Run, command: list[str]) -> None:
    answer = run("-w", ingested.workspace, *command)
    assert answer.code in (1, 2)
    assert "unexpected" not in answer.err
    if answer.code == 1:
        assert LONG in answer.err
        assert answer.err.count("\n") == 1


@pytest.mark.parametrize(("name", "text"), [("deep.json", "["), ("deep.toml", "a=" + "[" * 99)])
def test_settings_that_are_nested_too_deeply(run: Run, name: str, text: str) -> None:
    Path(name).write_text(text + "[" * 100_000)
    answer = run("train", "--data", ".", "--config", name)
    assert (answer.code, "unexpected" in answer.err) == (1, False)
    assert answer.err.startswith(f"error: {name}: cannot be read as ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(36, "File name too long", "a/b"), "a/b: file name too long"),
        (OSError(28, "No space left on device", b"a\xff"), "a\udcff: no space left on device"),
        (RecursionError(), "nested too deeply"),
        (MemoryError(), "not enough memory"),
        ("\ud800", "cannot be written here"),
        (ValueError("a bug"), None),
        (OSError("somebody's own"), None),
    ],
    ids=repr,
)
def test_one_line(error: Exception | str, said: str | None) -> None:
    if isinstance(error, str):
        with pytest.raises(UnicodeEncodeError) as caught:
            error.encode()
        error = caught.value
    line = explain_foreign(error)
    assert (line is None) if said is None else (said in str(line))


def test_a_row_that_was_forgotten_meanwhile(ingested: Crawl) -> None:
    opened = Workspace(ingested.workspace, load_settings(ingested.workspace))
    with pytest.raises(sa.exc.IntegrityError) as caught, opened.engine.begin() as connection:
        connection.execute(sa.update(Mask).where(Mask.id == 1).values(portrait_id=999))
    opened.close()
    line = explain(caught.value)
    assert line is not None
    assert "`forget` maybe, removed it meanwhile" in line
