"""Licences as people write them, told as SPDX ids; what is not certain is not told."""

import re
from typing import Final

_ADDRESS = re.compile(
    r"(?:https?:)?(?://)?(?:www\.)?creativecommons\.org/"
    r"(?:licenses/(?P<parts>[a-z\-]+)|publicdomain/(?P<domain>zero|mark))"
    r"(?:/(?P<version>\d\.\d))?(?:/(?P<port>[a-z]{2,3})(?=[/\s]|$))?[^\s]*",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"(?<![a-z])(?:cc|creative commons)[ _\-:]*(?P<parts>by(?:[ _\-]*(?:nc|nd|sa))*)"
    r"(?:[ _\-]*v?(?P<version>[1-4]\.[0-9]))?(?![a-z])",
    re.IGNORECASE,
)
_ZERO = re.compile(r"(?<![a-z])cc[ _\-]?(?:0|zero)(?:[ _\-]*v?1\.0)?(?![0-9a-z])", re.IGNORECASE)
_LONG = re.compile(
    r"\battribution(?P<parts>(?:[ ,\-]+(?:non[ \-]?commercial|no[ \-]?deriv\w*|share[ \-]?alike))*)"
    r"[ ,]+(?P<version>[1-4]\.[0-9])\b",
    re.IGNORECASE,
)
# Of software and data: only where nothing else is said, as a repository's licence is not that of
# the photos that others made and it holds.
_WHOLE: Final = {
    "mit": "MIT", "mit license": "MIT", "mit licence": "MIT", "apache-2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0", "apache license 2.0": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause", "gpl-2.0-only": "GPL-2.0-only", "gpl-3.0-only": "GPL-3.0-only",
    "unlicense": "Unlicense", "odbl-1.0": "ODbL-1.0", "pddl-1.0": "PDDL-1.0",
    "odc-by-1.0": "ODC-By-1.0", "cc0": "CC0-1.0",
}  # fmt: skip
_DOUBT = re.compile(r"\b(?:not?|non|except|unless|without|or|unknown|\?)\b", re.IGNORECASE)
_ORDER: Final = ("by", "nc", "nd", "sa")


def licence_of(text: str | None) -> str | None:
    """The SPDX id of a licence, or its URL if it has none; None if it cannot be told.

    Args:
        text: what was written: an id, an address, a name, or a sentence that holds just one
            licence of Creative Commons and neither `not` nor `except`.
    """
    if not text or not text.strip():
        return None
    stated = " ".join(text.split())
    whole = _WHOLE.get(stated.casefold())
    if whole is not None:
        return whole
    found = {_address(match) for match in _ADDRESS.finditer(stated)}
    rest = _ADDRESS.sub(" ", stated)
    for pattern in (_WORDS, _LONG):
        found |= {_id(match["parts"], match["version"]) for match in pattern.finditer(rest)}
        rest = pattern.sub(" ", rest)
    if _ZERO.search(rest):
        found.add("CC0-1.0")
        rest = _ZERO.sub(" ", rest)
    if len(found) != 1 or _DOUBT.search(rest):
        return None
    return found.pop()


def _address(match: re.Match[str]) -> str:
    if match["domain"]:
        if match["domain"].lower() == "zero":
            return "CC0-1.0"
        return "https://creativecommons.org/publicdomain/mark/1.0/"
    return _id(match["parts"], match["version"], match["port"])


def _id(parts: str, version: str | None, port: str | None = None) -> str:
    """`CC-BY-NC-4.0`; an address for what SPDX has no id for: a licence without its version."""
    words = parts.lower().replace(" ", "").replace("-", "").replace("_", "").replace(",", "")
    short = (
        words.replace("noncommercial", "nc")
        .replace("noderivatives", "nd")
        .replace("noderivs", "nd")
        .replace("sharealike", "sa")
    )
    kinds = "-".join(kind for kind in _ORDER if kind == "by" or kind in short.removeprefix("by"))
    if version is None:
        return f"https://creativecommons.org/licenses/{kinds}/"
    if port and port.lower() not in ("deed", "legalcode"):
        return f"https://creativecommons.org/licenses/{kinds}/{version}/{port.lower()}/"
    return f"CC-{kinds.upper()}-{version}"
