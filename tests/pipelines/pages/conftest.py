"""Pages in a real browser: one of a workspace that was turned once, read by many tests."""

import shutil
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

import pipelines
from tests.turned import Turned

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = "(async () => { %s; return (await axe.run(document)).violations; })()"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A page in the browser, and what it did beside being there."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def violations(self) -> list[str]:
        """What axe-core finds wrong, in words."""
        found: list[dict[str, Any]] = self.page.evaluate(RULES % AXE)
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


def seen(
    browser: Browser, where: Path | str, *, width: int = 1280, scheme: Any = "light", **more: Any
) -> Seen:
    """Open a page, a file or an address; what it says on the console and asks for is noted."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
    found = Seen(page=page)
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("dialog", lambda dialog: found.complaints.append(dialog.message))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(where if isinstance(where, str) else where.as_uri())
    return found


@pytest.fixture(scope="session")
def turned_copy(turned: Turned, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with everything but near-duplicates; tests of pages change nothing in it."""
    root = tmp_path_factory.mktemp("pages") / "portraits"
    return Path(shutil.copytree(turned.folder / "portraits", root))


@pytest.fixture(scope="session")
def report(turned_copy: Path) -> Path:
    """Its report."""
    out = turned_copy.with_name("report.html")
    with closing(pipelines.open_workspace(turned_copy)) as workspace:
        pipelines.write_report(workspace, pipelines.ReportRequest(out=out))
    return out
