"""Rows and objects of crawlers, under whatever names."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.origins.origin import Origin, merged
from pipelines.origins.said import origin_said


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"URL": "https://x.org/a.jpg", "License": "CC BY 4.0", "Photographer": "Zoë"},
            {"url": "https://x.org/a.jpg", "licence": "CC-BY-4.0", "author": "Zoë"},
        ),
        ({"foreign_landing_url": "https://x.org/p"}, {"page": "https://x.org/p"}),
        ({"repository": "a/b"}, {"page": "a/b"}),
        ({"noai": 1, "url": "u"}, {"opt_outs": ("noai",)}),
        ({"noai": "false", "url": "u"}, {"opt_outs": ()}),
        ({"X-Robots-Tag": "noai, noimageai"}, {"opt_outs": ("noai", "noimageai")}),
        ({"robots_allowed": False}, {"opt_outs": ("robots",)}),
        ({"TDM-Reservation": "1"}, {"opt_outs": ("tdm-reservation",)}),
        ({"consent": "withdrawn"}, {"consent": False}),
        ({"consent": True}, {"consent": True}),
        (
            {"downloaded_at": "2024-05-01T12:00:00+02:00"},
            {"downloaded_at": datetime(2024, 5, 1, 10, tzinfo=UTC)},
        ),
        ({"download_time": 1714557600}, {"downloaded_at": datetime(2024, 5, 1, 10, tzinfo=UTC)}),
        ({"author": "a\x00\x1b[31m\nb"}, {"author": "a [31m b"}),
        (
            {"licence": "ask us", "license_url": "https://creativecommons.org/licenses/by/4.0/"},
            {"licence": "CC-BY-4.0", "licence_stated": "ask us"},
        ),
    ],
)
def test_what_is_understood(values: dict[str, Any], expected: dict[str, Any]) -> None:
    found = origin_said(values, "here")
    assert found is not None
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.evidence == ("here",)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"caption": "a cat", "width": 3},
        {"url": "", "author": None, "licence": "N/A", "page": float("nan")},
        {"url": ["a"], "author": {"name": "b"}},
        {"downloaded_at": "yesterday"},
    ],
)
def test_what_says_nothing(values: dict[str, Any]) -> None:
    assert origin_said(values, "here") is None


def test_texts_are_bounded() -> None:
    found = origin_said({"author": "x" * 10_000}, "here")
    assert found is not None
    assert len(found.author or "") == 2_000


def test_the_first_counts_but_no_opt_out_is_lost() -> None:
    one = Origin(url="u", consent=True, evidence=("a",))
    other = Origin(
        url="v", licence="MIT", opt_outs=("noai",), consent=False, c2pa=True, evidence=("b",)
    )
    assert merged([None, one, other]) == Origin(
        url="u", licence="MIT", opt_outs=("noai",), consent=False, c2pa=True, evidence=("a", "b")
    )
    assert merged([None]) is None


def test_origins_survive_json() -> None:
    origin = Origin(url="u", opt_outs=("noai",), downloaded_at=datetime(2024, 5, 1, tzinfo=UTC))
    assert Origin.from_dict(origin.as_dict()) == origin
