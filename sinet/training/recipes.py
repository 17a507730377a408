"""Training configurations from files, and those that come with the package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from sinet.errors import ConfigError
from sinet.json_text import from_json, from_toml
from sinet.training.config import TrainingConfig

_RECIPES: Final = Path(__file__).parent.parent / "recipes"


def recipe_names() -> list[str]:
    """Names of the recipes in the package."""
    return sorted(file.stem for file in _RECIPES.glob("*.toml"))


def default_recipe(model: str | None) -> str:
    """Name of the recipe for portraits: the network's own, or else the one for all."""
    return own if (own := f"{model}-portrait") in recipe_names() else "portrait"


def load_config(recipe: str | Path, overrides: Mapping[str, Any] | None = None) -> TrainingConfig:
    """Read a training configuration.

    Args:
        recipe: name of a recipe in the package, or a file in TOML or JSON with the keys of
            `TrainingConfig`.
        overrides: key → value, in place of the file's; None values are left out. A network's
            `options` are added to the file's if the network stays the same.

    Raises:
        ConfigError: no such recipe or file, or an unknown key or a wrong value in it.
        NetworkError: no such network or option.
    """
    file = _RECIPES / f"{recipe}.toml" if recipe in recipe_names() else Path(recipe)
    given = _read(file)
    changes = {key: value for key, value in (overrides or {}).items() if value is not None}
    same = changes.get("model") in (None, given.get("model", "sinet"))
    changes["options"] = {
        **(given.get("options", {}) if same else {}),
        **changes.get("options", {}),
    }
    try:
        return TrainingConfig.model_validate({**given, **changes})
    except ValidationError as error:
        raise ConfigError(f"{file}: {_first_problem(error)}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        known = ", ".join(recipe_names())
        raise ConfigError(f"{file}: no such file, and no recipe of that name ({known}).") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as text ({error}).") from error
    try:
        given = from_json(text) if file.suffix.lower() == ".json" else from_toml(text)
    except ValueError as error:  # what both parsers raise
        kind = "JSON" if file.suffix.lower() == ".json" else "TOML"
        raise ConfigError(f"{file}: cannot be read as {kind} ({error}).") from error
    if not isinstance(given, dict):
        raise ConfigError(f"{file}: not a table of settings.")
    return given


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"unknown key `{key}`; remove it or correct its spelling."
    message = problem["msg"].removeprefix("Value error, ")
    # A check across keys names them itself.
    return f"`{key}`: {message}, not {problem['input']!r}." if key else f"{message}."
