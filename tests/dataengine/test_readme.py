"""What README and the page of commands promise exists: the commands, the test command of CI."""

from pathlib import Path

from pipelines.label_studio.server import VERSION
from tests.dataengine.conftest import COMMANDS

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
TEST_COMMAND = "python -m pip install uv && uv run pytest"


def test_ci_runs_the_documented_test_command() -> None:
    assert f"\n{TEST_COMMAND}\n" in README
    assert TEST_COMMAND in (ROOT / ".ci/run").read_text()


def test_every_command_is_on_its_page() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    for name in COMMANDS:
        assert f"`dataengine {name}" in page, name


def test_ci_installs_the_label_studio_that_tests_start() -> None:
    assert f"label-studio=={VERSION} " in (ROOT / ".ci/run").read_text()
