"""Benchmarks and examples are scripts: they import, and take the options that the docs give."""

import argparse
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

OURS = {"dataengine", "pipelines", "db", "sinet", "tests"}
_FOLDERS = "(?:benchmarks|examples)"
SCRIPT = re.compile(rf"python (?:-m ({_FOLDERS}\.[\w.]+)|({_FOLDERS}/[\w/]+\.py))([^`\n;]*)")
ELSEWHERE = {"peer"}
"""Needs a library that the package does without (`uv run --with`)."""


def documented() -> Iterator[tuple[str, Path, list[str]]]:
    """Each line of the docs that runs a script: where it stands, the script, its options."""
    pages = [CHECKOUT / "README.md"]
    for folder in ("docs", "benchmarks", "examples", "sinet/weights"):
        pages += sorted((CHECKOUT / folder).rglob("*.md"))
    for page in pages:
        for module, file, options in SCRIPT.findall(page.read_text().replace("\\\n", " ")):
            script = CHECKOUT / (file or f"{module.replace('.', '/')}.py")
            yield page.name, script, shlex.split(options.rstrip(" :."), comments=True)


LINES = [
    pytest.param(script, options, id=f"{page}: {script.stem} {' '.join(options)}")
    for page, script, options in documented()
    if "argparse" in script.read_text() and script.stem not in ELSEWHERE
]


class Parsed(Exception):  # noqa: N818  (nothing is wrong)
    """The script would begin."""


def test_no_benchmark_hides_a_package() -> None:
    names = {path.stem for path in (CHECKOUT / "benchmarks").glob("*.py")}
    assert "ingest" in names
    assert names & (OURS | set(sys.stdlib_module_names)) == set()


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize(("script", "options"), LINES)
def test_a_documented_script_takes_its_options(
    script: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does with them is for who runs it: it takes minutes, or hours."""
    parse = argparse.ArgumentParser.parse_args

    def parsed(self: argparse.ArgumentParser, *arguments: list[str]) -> None:
        parse(self, *arguments)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    monkeypatch.setattr(sys, "argv", [str(script), *options])
    name = ".".join(script.relative_to(CHECKOUT).with_suffix("").parts)
    with pytest.raises(Parsed):
        runpy.run_module(name, run_name="__main__")
