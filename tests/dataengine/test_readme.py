"""What the README promises exists: its commands, their options, the test command of CI."""

import re
import shlex
from pathlib import Path

import pytest

from pipelines.label_studio.server import VERSION
from tests.dataengine.conftest import COMMANDS, parse

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = README + "".join(
    (ROOT / "docs" / name).read_text()
    for name in (
        "input.md",
        "review.md",
        "lineage.md",
        "formats.md",
        "rounds.md",
        "quality.md",
        "networks.md",
    )
)
TEST_COMMAND = "python -m pip install uv && uv run pytest"


def documented_commands() -> list[list[str]]:
    """Arguments of every `dataengine …` line in shell blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENTS, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    found = [re.search(r"\bdataengine (.*)", line) for line in lines]
    return [shlex.split(match[1], comments=True) for match in found if match]


def test_ci_runs_the_documented_test_command() -> None:
    assert f"\n{TEST_COMMAND}\n" in README
    assert TEST_COMMAND in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("arguments", documented_commands(), ids=" ".join)
def test_a_documented_command_parses(arguments: list[str]) -> None:
    parse(arguments)


def test_every_command_is_in_the_readme() -> None:
    for name in COMMANDS:
        assert f"`dataengine {name}" in README, name


def test_ci_installs_the_label_studio_that_tests_start() -> None:
    assert f"label-studio=={VERSION} " in (ROOT / ".ci/run").read_text()
