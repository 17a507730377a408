"""From figures to one file: a template that escapes, everything else inside, nothing from outside.

The page forbids itself every request and every script but its own (a Content-Security-Policy with
the scripts' hashes), so that foreign text in it (names, comments, licences) can only be read.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pipelines.workspace.errors import PipelineError
from pipelines.workspace.store import storage_message
from sinet.escaping import printable
from sinet.json_text import to_json

ASSETS: Final = files("pipelines.pages") / "assets"
CHARTS: Final = ("d3.min.js", "plot.umd.min.js")
"""D3 and Observable Plot as they were published; licences beside them."""


def render(template: str, scripts: tuple[str, ...], data: Any, values: Mapping[str, Any]) -> str:
    """Make a page.

    Args:
        template: its name among the assets.
        scripts: names of the assets that run in it, in order.
        data: plain values, which the scripts find as JSON.
        values: what the template names; strings come out printable and escaped.
    """
    # Commands that make no page need no template engine.
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    style = _asset("page.css")
    sources = [_asset(name) for name in scripts]
    policy = (
        "default-src 'none'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
        f"style-src {_hashed(style)}; script-src {' '.join(map(_hashed, sources))}"
    )
    environment = Environment(
        loader=PackageLoader("pipelines.pages", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["percent"] = lambda value: f"{value:.1%}".replace("%", " %")
    return environment.get_template(template).render(
        **values,
        policy=policy,
        style=Markup(style),  # noqa: S704 - our own file
        scripts=[Markup(source) for source in sources],  # noqa: S704 - our own files
        data=Markup(_json(data)),  # noqa: S704 - escaped below
    )


def check_target(path: Path) -> None:
    """Find out early whether a page can be written there.

    Raises:
        PipelineError: not named like a page, a folder, or in a folder that is not there.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise PipelineError(f"{path}: a page's name ends with .html")
    if path.is_dir():
        raise PipelineError(f"{path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise PipelineError(f"{path}: there is no folder {path.parent}")


def write_page(path: Path, page: str) -> int:
    """Write a page, whole or not at all, over what was there; its bytes.

    Raises:
        PipelineError: it cannot be written.
    """
    data = page.encode("utf-8")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise PipelineError(storage_message(path, error)) from error
    finally:
        partial.unlink(missing_ok=True)
    return len(data)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _hashed(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(data: Any) -> str:
    """JSON that ends no script element and begins none, whatever foreign text is in it."""
    text = to_json(data)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finalized(value: Any) -> Any:
    """Foreign text on one line, and readable; what was marked as safe stays as it is."""
    return printable(value) if type(value) is str else value
