"""What a row of a table, or a crawler's JSON, says of a photo, under whatever names."""

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipelines.origins.licences import licence_of
from pipelines.origins.origin import MAX_CHARACTERS, Origin
from pipelines.workspace.addresses import holds_secret, without_query
from pipelines.workspace.tables import plain_column

_URL: Final = ("url", "image_url", "source_url", "original_url", "media_url", "src", "download_url")
_PAGE: Final = (
    "page", "page_url", "source_page", "landing_url", "foreign_landing_url", "post_url",
    "webpage_url", "permalink", "referrer", "repository", "source", "site",
)  # fmt: skip
_AUTHOR: Final = (
    "author", "creator", "artist", "photographer", "by_line", "byline", "credit", "attribution",
    "owner", "uploader", "username", "user",
)  # fmt: skip
_LICENCE: Final = (
    "licence", "license", "licence_url", "license_url", "licence_as_stated", "license_as_stated",
    "rights", "usage_terms", "copyright", "copyright_notice",
)  # fmt: skip
_TIME: Final = (
    "downloaded_at", "download_time", "download_date", "date_downloaded", "fetched_at",
    "fetch_time", "crawled_at", "crawl_time", "retrieved_at", "warc_date",
)  # fmt: skip
_ROBOTS: Final = ("robots", "x_robots_tag", "robots_tag", "meta_robots")
_FLAGS: Final = {
    "noai": "noai", "noimageai": "noimageai", "opt_out": "opt-out", "optout": "opt-out",
    "opted_out": "opt-out", "tdm_reservation": "tdm-reservation", "do_not_train": "do-not-train",
    "robots_disallowed": "robots",
}  # fmt: skip
_ALLOWING: Final = ("robots_allowed", "robots_txt_allowed", "opt_in")
_OPTING_OUT: Final = frozenset({"noai", "noimageai", "noindex", "noimageindex", "disallow"})
_YES: Final = frozenset({"1", "1.0", "true", "yes", "y", "t", "given", "granted"})
_NO: Final = frozenset({"0", "0.0", "false", "no", "n", "f", "refused", "withdrawn", "denied"})


def origin_said(values: Mapping[str, Any], evidence: str) -> Origin | None:
    """Understand a row or an object; None if it says nothing of where the photo came from.

    Args:
        values: by column, of any case and with blanks or hyphens for underscores.
        evidence: what to call its source.
    """
    said = {plain_column(key): text for key, value in values.items() if (text := _text(value))}
    stated = _first(said, _LICENCE)
    author = _first(said, _AUTHOR)
    found = Origin(
        url=_unsigned(_first(said, _URL)),
        page=_unsigned(_first(said, _PAGE)),
        author=author,
        licence=next(filter(None, (licence_of(said.get(name)) for name in _LICENCE)), None),
        licence_stated=stated,
        opt_outs=tuple(sorted(_opt_outs(said))),
        consent=_yes_or_no(said.get("consent") or said.get("has_consent")),
        downloaded_at=next(filter(None, (_time(said.get(name)) for name in _TIME)), None),
        evidence=(evidence,),
    )
    empty = Origin(evidence=(evidence,))
    return None if found == empty else found


def _unsigned(text: str | None) -> str | None:
    """An address without what lets somebody in: it goes into rows and releases."""
    return text if text is None or not holds_secret(text) else without_query(text)


def _opt_outs(said: Mapping[str, str]) -> set[str]:
    found = {flag for name, flag in _FLAGS.items() if _yes_or_no(said.get(name)) is True}
    if any(_yes_or_no(said.get(name)) is False for name in _ALLOWING):
        found.add("robots")
    for name in _ROBOTS:
        words = set(re.split(r"[^a-z]+", said.get(name, "").lower()))
        found |= {"robots" if word == "disallow" else word for word in words & _OPTING_OUT}
    return found


def _yes_or_no(text: str | None) -> bool | None:
    word = (text or "").strip().lower()
    return True if word in _YES else False if word in _NO else None


def _time(text: str | None) -> datetime | None:
    """A time in ISO format, or in seconds since 1970; one without a zone is taken as UTC."""
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        try:
            time = datetime.fromisoformat(text.strip().replace(" UTC", "+00:00"))
        except ValueError:
            return None
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    if not math.isfinite(number) or not 0 < number < 1e13:
        return None
    return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)


def _first(said: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((said[name] for name in names if name in said), None)


def clean(text: str) -> str:
    """One line of text from outside, bounded, without control characters."""
    plain = "".join(each if unicodedata.category(each)[0] != "C" else " " for each in text)
    return " ".join(plain.split())[:MAX_CHARACTERS]


def _text(value: Any) -> str:
    """A single value as text; empty for what is missing or has parts."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and math.isnan(value):
        return ""
    if not isinstance(value, str | int | float):
        return ""
    text = clean(str(value))
    return "" if text.lower() in ("", "none", "null", "nan", "n/a", "?") else text
