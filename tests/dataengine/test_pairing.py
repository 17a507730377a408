"""`commands/X.py` has `console/X.py`: a stranger finds what a command prints under its name."""

from pathlib import Path

import pytest

from tests.dataengine.conftest import COMMANDS

PROGRAM = Path(__file__).parents[2] / "dataengine"
SHARED = "shared"


def modules(folder: str) -> set[str]:
    """Paths of the modules below a folder of the program, without those of the shared shelf."""
    paths = (file.relative_to(PROGRAM / folder) for file in (PROGRAM / folder).rglob("*.py"))
    return {str(path) for path in paths if path.name != "__init__.py" and path.parts[0] != SHARED}


def test_every_command_has_its_console_half_and_nothing_else_is_there() -> None:
    assert modules("commands") == modules("console")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_lies_under_its_name(command: str) -> None:
    """`review push` in review/push.py; what Python has as a word, `list`, with a dash below."""
    path = f"{command.replace(' ', '/').replace('-', '_')}.py"
    assert {path, path.replace(".py", "_.py")} & modules("commands")


def test_the_top_of_the_program_is_tidy() -> None:
    files = {file.name for file in PROGRAM.glob("*.py")}
    assert files == {"__init__.py", "cli.py", "context.py", "choices.py"}
    assert {folder.name for folder in PROGRAM.iterdir() if any(folder.glob("*.py"))} == {
        "commands",
        "console",
    }
