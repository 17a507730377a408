"""docs/json.md read: which keys and types it promises, and what came of them."""

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from sinet.metrics import Interval
from tests.conftest import CHECKOUT

PAGE = (CHECKOUT / "docs/json.md").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the page says.

    Attributes:
        prints: command → type of its document.
        objects: name → key → type; what a command alone prints has its name.
    """

    prints: dict[str, str] = field(default_factory=dict)
    objects: dict[str, dict[str, str]] = field(default_factory=dict)


def read_page() -> Page:
    page = Page()
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        name = title.strip("`").lower()
        rows = [
            (key.strip("` "), plain(kind))
            for key, kind in re.findall(r"^\| (`[^`]+`|…) \| ([^|]+) \|", body, flags=re.MULTILINE)
        ]
        add_object(page, name, rows)
        if title.startswith("`"):
            said = re.search(r"^Prints (.+?)[,.](\s|$)", body, flags=re.MULTILINE)
            is_array = re.search(r"^An array, of each", body, flags=re.MULTILINE)
            page.prints[name] = plain(said[1]) if said else f"{name}[]" if is_array else name
    for rows in page.objects.values():
        while (other := rows.pop("…", None)) is not None:
            rows |= page.objects[other]
    kinds = [
        *page.prints.values(),
        *(each for rows in page.objects.values() for each in rows.values()),
    ]
    named = {word for kind in kinds for word in re.split(r" or |[{}\[\]]", kind)}
    for name in page.objects.keys() - named:
        del page.objects[name]  # its keys are always those of another one
    return page


def add_object(page: Page, name: str, rows: Sequence[tuple[str, str]]) -> None:
    """Take up an object, and those that stand in its rows as `key.inner` or `key[].inner`."""
    if not rows:
        return
    own = page.objects[name] = {}
    for key, kind in rows:
        if "." in key:
            continue
        inner = [(each, of) for each, of in rows if re.match(rf"{key}(\[\])?\.", each)]
        own[key] = kind.replace("object", f"{name}.{key}") if inner else kind
        add_object(page, f"{name}.{key}", [(each.partition(".")[2], of) for each, of in inner])


def plain(kind: str) -> str:
    """A type without the links."""
    return re.sub(r"\[([^\]]+)\]\(#[\w-]+\)", r"\1", kind).strip()


def alternatives(kind: str) -> list[str]:
    """`{a or b} or null` is one of two."""
    parts, depth = [""], 0
    for word in kind.split(" "):
        if word == "or" and depth == 0:
            parts.append("")
        else:
            parts[-1] = f"{parts[-1]} {word}".strip()
        depth += word.count("{") - word.count("}")
    return parts


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What came, held to the page.

    Attributes:
        page: what may come.
        wrong: what should not have come, or did not.
        told: object and key of all values that were not null.
    """

    page: Page
    wrong: list[str] = field(default_factory=list)
    told: set[tuple[str, str]] = field(default_factory=set)

    def read(self, value: Any, kind: str, where: str) -> None:
        """Compare a value with a type."""
        for each in alternatives(kind):
            if each == "any" or is_a(value, each):
                return
            if isinstance(value, list) and each.endswith("[]"):
                for number, item in enumerate(value):
                    self.read(item, each.removesuffix("[]"), f"{where}[{number}]")
                return
            if isinstance(value, dict) and each.startswith("{"):
                for key, item in value.items():
                    self.read(item, each[1:-1], f"{where}.{key}")
                return
            if isinstance(value, dict) and each in self.page.objects:
                self._read_object(value, each, where)
                return
        self.wrong.append(f"{where}: {str(value)[:60]!r} is not {kind}")

    def _read_object(self, value: dict[str, Any], name: str, where: str) -> None:
        known = self.page.objects[name]
        self.wrong.extend(f"{where}: {key} is not on the page" for key in value.keys() - known)
        self.wrong.extend(f"{where}: {key} did not come" for key in known.keys() - value)
        for key in value.keys() & known:
            self.read(value[key], known[key], f"{where}.{key}")
            if value[key] is not None:
                self.told.add((name, key))


def is_a(value: Any, name: str) -> bool:
    match name:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return name == "string" and isinstance(value, str)


def matches(page: Page, kind: str, hint: Any) -> bool:
    """Whether a type on the page is one of Python."""
    if isinstance(hint, types.UnionType):
        inner = [each for each in typing.get_args(hint) if each is not types.NoneType]
        return "null" in alternatives(kind) and matches(page, without_null(kind), *inner)
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (list, tuple, Sequence):
        return kind.endswith("[]") and matches(page, kind.removesuffix("[]"), of[0])
    if origin is not None and issubclass(origin, Mapping):
        values = of[1] if len(of) > 1 else int
        if kind in page.objects:  # a mapping of which the page knows the keys
            return values is Any
        return kind.startswith("{") and matches(page, kind[1:-1], values)
    if is_dataclass(hint) or hint is Interval:
        return kind in page.objects or kind == "string"  # a string: what it is called
    simple: dict[Any, str] = {int: "integer", float: "number", bool: "boolean"}
    return kind == simple.get(hint, "string")


def without_null(kind: str) -> str:
    return " or ".join(each for each in alternatives(kind) if each != "null")
