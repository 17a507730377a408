"""Settings from their sources: command option, environment, `dataengine.toml`, default."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.own_files import SETTINGS_FILE
from pipelines.workspace.settings import Settings
from sinet.json_text import to_json

ENVIRONMENT_PREFIX = "DATAENGINE_"
# As it is set, or as the template has it.
_URL_LINE = re.compile(r"^# url *=.*$", re.MULTILINE)
_DATABASE_LINE = re.compile(r"^(?:# *)?database *=.*$", re.MULTILINE)


def load_settings(root: Path, options: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Read a workspace's settings.

    Args:
        root: the workspace; without a `dataengine.toml` there the defaults hold.
        options: section → key → value from the command line; None values are left out.

    Raises:
        WorkspaceError: the file cannot be read, or a value or key is not what it should be.
    """
    file = root / SETTINGS_FILE
    given: dict[str, Any] = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in (options or {}).items()
    }
    try:
        merged = _over(_over(_in_file(file), _in_environment()), given)
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise WorkspaceError(_first_problem(error, file)) from error
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{file}: cannot be read as TOML ({error})") from error


def _in_file(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _in_environment() -> dict[str, Any]:
    """What variables say, if there are any: importing what reads them takes a sixth of a second."""
    if not any(name.upper().startswith(ENVIRONMENT_PREFIX) for name in os.environ):
        return {}
    from pydantic_settings import (
        BaseSettings,
        EnvSettingsSource,
        SettingsConfigDict,
        SettingsError,
    )

    class Environment(Settings, BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
        )

    try:
        # As they stand: whether values go together is checked when those of all sources are known.
        return EnvSettingsSource(Environment)()
    except SettingsError as error:
        raise WorkspaceError(f"environment {ENVIRONMENT_PREFIX}…: {error}") from error


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings over others, section by section."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            merged[key] = _over(under, value)
        else:
            merged[key] = value
    return merged


def settings_template(database: str | None = None, store: str | None = None) -> str:
    """Text of a new `dataengine.toml`: every setting with its default, commented out.

    Args:
        database: URL that is set in it.
        store: likewise.
    """
    lines = [
        "# Settings of this workspace. Every line below is a default: uncomment what you change.",
        f"# The environment overrides this file: {ENVIRONMENT_PREFIX}DETECTOR__MIN_FACE_PX=48",
        "",
    ]
    lines.extend(_template_lines(Settings(), ()))
    text = "\n".join(lines) + "\n"
    if store is not None:
        head, section, tail = text.partition("\n[store]\n")
        line = f"url = {to_json(store, ensure_ascii=False)}"
        text = head + section + _URL_LINE.sub(lambda _: line, tail, count=1)
    return text if database is None else with_database(text, database)


def with_database(text: str, database: str) -> str:
    """Settings with another place of the database, in the line that named the one before."""
    line = f"database = {to_json(database, ensure_ascii=False)}"
    head, bracket, tables = text.partition("\n[")
    head, found = _DATABASE_LINE.subn(lambda _: line, head, count=1)
    return (head if found else f"{line}\n{head}") + bracket + tables


def _template_lines(model: BaseModel, path: tuple[str, ...]) -> Iterator[str]:
    sections = {}
    for name, field in type(model).model_fields.items():
        if name == "id":  # written by `init`, not chosen
            continue
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            sections[name] = value
            continue
        if field.description:
            yield f"# {field.description}"
        # TOML has no null: such a line says nothing until it is given a value.
        yield f"# {name} =  # not set" if value is None else f"# {name} = {_toml(value)}"
    for name, section in sections.items():
        yield ""
        yield f"[{'.'.join((*path, name))}]"
        yield from _template_lines(section, (*path, name))


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _first_problem(error: ValidationError, file: Path) -> str:
    problem = error.errors()[0]
    what = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
    # A check across keys names them itself.
    subject = [f"setting {'.'.join(map(str, problem['loc']))}"] if problem["loc"] else []
    text = ": ".join([*subject, what.removeprefix("Value error, ")])
    return f"{text}; see {file}, the environment or the options"
