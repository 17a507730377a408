"""MkDocs: pages of the reference that the code writes.

The public names of `pipelines` come room by room, as `__init__.pyi` lists them; mkdocstrings
renders their docstrings. The settings are those that `init` writes.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pipelines.workspace.settings_sources import settings_template

ROOT = Path(__file__).parents[2]
PACKAGE = "pipelines"
NAMES = """# The Python interface

The public names of the package `pipelines`, by the room they live in; [From Python](../python.md)
shows them at work. What is not here may change without notice. Errors are
`pipelines.PipelineError`, one line each.
"""
SETTINGS = """# Settings

`dataengine init` writes a `dataengine.toml` with every setting, its default and what it means. An
option on the command line beats the environment, which beats the file, which beats the default.

"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Write the pages."""
    files.append(File.generated(config, "reference/settings.md", content=settings_page()))
    files.append(File.generated(config, "reference/python.md", content=names_page()))
    return files


def settings_page() -> str:
    """The settings that a new workspace gets, section by section."""
    first, *sections = re.split(r"\n(?=\[)", settings_template())
    parts = [SETTINGS, _toml(first)]
    parts += [f"## {text.partition(chr(10))[0]}\n\n{_toml(text)}" for text in sections]
    return "\n".join(parts)


def _toml(text: str) -> str:
    return f"```toml\n{text.strip()}\n```\n"


def names_page() -> str:
    """All public names, as directives of mkdocstrings."""
    parts = [NAMES]
    for room, names in public_names().items():
        parts += [f"## `{PACKAGE}.{room}`", "", _first_line(room), ""]
        parts += [f"::: {PACKAGE}.{name}\n" for name in names]
    return "\n".join(parts)


def public_names() -> dict[str, list[str]]:
    """Room → names with their modules, below the package."""
    stub = ast.parse((ROOT / PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    rooms = defaultdict(list)
    for node in stub.body:
        assert isinstance(node, ast.ImportFrom)
        module = str(node.module)
        rooms[module.partition(".")[0]] += [f"{module}.{alias.name}" for alias in node.names]
    return dict(rooms)


def _first_line(room: str) -> str:
    source = (ROOT / PACKAGE / room / "__init__.py").read_text(encoding="utf-8")
    return str(ast.get_docstring(ast.parse(source))).partition("\n")[0]
