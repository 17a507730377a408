"""The documentation site: built strictly, offline, and whole."""

import posixpath
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from tests.conftest import CHECKOUT
from tests.test_links import PAGES

SHOWN = ("h2", "h3", "li", "ol", "pre", "table", "td")
"""Of what a page consists, apart from running text."""


class Built(HTMLParser):
    """What a page holds.

    Attributes:
        ids: of its elements.
        links: where it leads.
        loads: what a browser fetches to show it.
        elements: how many of each kind its text has.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.elements: Counter[str] = Counter()
        self._in_text = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {value for name, value in given.items() if name in ("id", "name")}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])
        self._in_text = (self._in_text or tag == "article") and tag != "nav"
        self.elements[tag] += self._in_text

    def handle_endtag(self, tag: str) -> None:
        self._in_text = self._in_text and tag != "article"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """The pages by their paths; every warning of the build is an error."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    done = subprocess.run(build, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {
        file.relative_to(folder).as_posix(): Built(file.read_text(encoding="utf-8"))
        for file in folder.rglob("*.html")
    } | {
        file.relative_to(folder).as_posix(): Built("")
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".html"
    }


def test_every_link_and_anchor_leads_somewhere(site: dict[str, Built]) -> None:
    broken, seen = [], 0
    for path, page in site.items():
        if path == "404.html":  # shown at any address
            continue
        for link in (*page.links, *page.loads):
            address = urlsplit(link)
            if address.scheme:
                continue
            seen += 1
            target = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), unquote(address.path))
            )
            target = path if not address.path else target
            anchor = unquote(address.fragment)
            if target not in site or (anchor and anchor not in site[target].ids):
                broken.append(f"{path}: {link}")
    assert broken == []
    assert seen > 2000


def test_nothing_is_fetched_from_elsewhere(site: dict[str, Built]) -> None:
    loads = [load for page in site.values() for load in page.loads]
    assert len(loads) > 200
    assert [load for load in loads if urlsplit(load).netloc] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_the_site_shows_what_a_repository_shows(page: Path, site: dict[str, Built]) -> None:
    path = page.relative_to(CHECKOUT).as_posix()
    html = path.removeprefix("docs/").replace("README.md", "index.md").replace(".md", ".html")
    if path == "README.md" or html not in site:
        return
    expected = Built(
        f"<article>{MarkdownIt('gfm-like', {'linkify': False}).render(page.read_text())}</article>"
    ).elements
    shown = site[html].elements
    assert {tag: shown[tag] for tag in SHOWN} == {tag: expected[tag] for tag in SHOWN}
