"""What the documentation points at is there."""

import re
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

PAGES = sorted(
    page
    for page in CHECKOUT.rglob("*.md")
    if not any(part.startswith(".") or part == "runs" for part in page.relative_to(CHECKOUT).parts)
)
OURS = ("dataengine", "pipelines", "db", "sinet", "tests", "benchmarks", "examples", "docs")


def pointed_at(page: Path) -> set[Path]:
    """Files and folders of this repository that a page links to or names by their path."""
    text = page.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    named = re.findall(rf"`((?:{'|'.join(OURS)})/[\w/.-]+)`", text)
    return {page.parent / link for link in linked if "://" not in link} | {
        CHECKOUT / name for name in named
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    assert [str(path) for path in pointed_at(page) if not path.exists()] == []


def test_pages_are_found() -> None:
    assert sum(len(pointed_at(page)) for page in PAGES) > 60
