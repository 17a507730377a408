"""The documentation site: built strictly, offline, and whole."""

import posixpath
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser

import pipelines
from tests.conftest import CHECKOUT
from tests.dataengine.conftest import COMMANDS
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
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the site was written; every warning of the build is an error."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    done = subprocess.run(build, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def site(site_folder: Path) -> dict[str, Built]:
    """The pages by their paths."""
    folder = site_folder
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


def test_every_command_and_public_name_is_in_the_reference(site: dict[str, Built]) -> None:
    pages = {f"reference/commands/{name.replace(' ', '-')}.html" for name in COMMANDS}
    assert pages <= {posixpath.normpath(link) for link in site["commands.html"].links}
    for page in pages:
        assert "options" in site[page].ids, page
        assert {"example", "examples"} & site[page].ids, page
    described = {each.rpartition(".")[2] for each in site["reference/python.html"].ids}
    assert described >= set(pipelines.__all__)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_and_need_nothing_from_elsewhere(
    site_folder: Path, browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    asked: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("request", lambda request: asked.append(request.url))
    for name in ("index", "tutorial", "results", "json", "reference/commands/ingest"):
        page.goto((site_folder / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width, name
        told = page.evaluate("document.body.getAttribute('data-md-color-scheme')")
        assert told == {"light": "default", "dark": "slate"}[scheme]
    page.close()
    assert asked
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data", "blob"}


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
