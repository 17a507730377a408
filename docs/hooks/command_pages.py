"""MkDocs: a page of the reference for every command, from what Typer itself says in `--help`."""

import re
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from dataengine.cli import app

FOLDER = "reference/commands"
OVERVIEW = "commands.md"
"""The page with a row for each."""
IN_NAV = "Commands"
"""The entry of the navigation that the commands go into."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the commands into the navigation, after what stands there."""
    pages = [{name: page_of(name)} for name, _, _ in commands()]
    for entry in _entries(config.nav):
        if IN_NAV in entry:
            entry[IN_NAV] = [*entry[IN_NAV], *pages]
            return config
    raise ValueError(f"mkdocs.yml: no entry {IN_NAV!r} in `nav`")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Write the pages."""
    for name, command, context in commands():
        text = page(name, command, context)
        files.append(File.generated(config, page_of(name), content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the rows of the overview lead to the pages."""
    del config, files
    if page.file.src_uri != OVERVIEW:
        return markdown
    names = sorted((name for name, _, _ in commands()), key=len, reverse=True)

    def linked(found: re.Match[str]) -> str:
        name = next(name for name in names if f"{found[2]} ".startswith(f"{name} "))
        return f"| [{found[1]}]({page_of(name)})"

    return re.sub(r"^\| (`dataengine ([^`]+)`)", linked, markdown, flags=re.MULTILINE)


def page_of(name: str) -> str:
    """Where the page of a command lies in the site's sources."""
    return f"{FOLDER}/{name.replace(' ', '-')}.md"


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Each command as it is typed, with its context; a group that does nothing alone has none."""
    group: Any = typer.main.get_command(app)
    yield from _within(group, group.context_class(group, info_name="dataengine"), "")


def _within(group: Any, context: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    for name, command in group.commands.items():
        own = command.context_class(command, info_name=name, parent=context)
        is_group = hasattr(command, "commands")
        if not is_group or command.invoke_without_command:
            yield f"{path}{name}", command, own
        if is_group:
            yield from _within(command, own, f"{path}{name} ")


def page(name: str, command: Any, context: Any) -> str:
    """A command in Markdown: what it does, its usage, arguments and options, examples."""
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = [f"# dataengine {name}", "", command.help, "", "```text", usage, "```", ""]
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        rows = [
            _row(record)
            for parameter in command.get_params(context)
            if parameter.param_type_name == kind and (record := parameter.get_help_record(context))
        ]
        if rows:
            lines += [f"## {title}", "", "| | |", "| --- | --- |", *rows, ""]
    return "\n".join([*lines, _examples(command.epilog)])


def _row(record: tuple[str, str]) -> str:
    written, said = record
    # Within code no `|` ends a cell; with blanks around it, a narrow page breaks lines there.
    return f"| `{written.replace('|', ' | ')}` | {_plain(said)} |"


def _plain(text: str) -> str:
    """Help as text in a cell: nothing in it is markup but code, and no line in it ends the cell."""
    for character, plain in (("<", "&lt;"), ("*", "\\*"), ("|", "&#124;"), ("(auto)", "auto")):
        text = text.replace(character, plain)
    return " ".join(text.split())


def _examples(epilog: str) -> str:
    """The examples as a block of shell, which can be copied."""
    title, _, rest = epilog.strip().partition("\n")
    block = [line.removeprefix("    ") for line in rest.strip("\n").splitlines()]
    return "\n".join([f"## {title.strip('*')}", "", "```sh", *block, "```", ""])


def _entries(nav: Any) -> Iterator[dict[str, Any]]:
    for entry in nav:
        if isinstance(entry, dict):
            yield entry
            for value in entry.values():
                if isinstance(value, list):
                    yield from _entries(value)
