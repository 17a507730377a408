"""The real LightlyStudio: what it shows, what it asks for, and that its tags come back."""

import shutil
from contextlib import closing
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import pipelines
from tests.conftest import Crawl

BLUE = 15
"""Mean difference of blue and red: none without a mask."""


@pytest.mark.campaign
def test_masks_are_shown_and_tags_come_back(
    ingested: Crawl, tmp_path: Path, browser: Browser
) -> None:
    root = Path(shutil.copytree(ingested.workspace, tmp_path / "portraits"))
    folder = tmp_path / "gallery"
    with pipelines.gallery_place(folder) as place:
        with closing(pipelines.open_workspace(root, read_only=True)) as workspace:
            dataset = pipelines.write_dataset(workspace, place.session, place.journal, 100)
        with pipelines.running_gallery(place, dataset) as gallery:
            running = psutil.Process(gallery.process.pid).children(recursive=True)
            elsewhere: list[str] = []
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.on(
                "request",
                lambda request: (
                    elsewhere.append(request.url)
                    if not request.url.startswith((gallery.url[:21], "data:", "blob:"))
                    else None
                ),
            )
            shut = page.request.get(gallery.url.partition("?")[0], max_redirects=0)
            assert shut.status == 403
            page.set_default_timeout(60_000)
            page.goto(gallery.url)
            page.get_by_text("Dismiss").click(timeout=60_000)
            expect(page.get_by_text("Showing 3 images")).to_be_visible(timeout=30_000)
            tiles = page.get_by_test_id("sample-grid-item")
            expect(tiles).to_have_count(3, timeout=30_000)
            expect(page.get_by_test_id("sample-annotation-item")).to_have_count(3, timeout=30_000)
            # The photos are grey noise, the masks over them blue.
            page.wait_for_timeout(2000)
            shown = np.asarray(Image.open(BytesIO(tiles.nth(1).screenshot())).convert("RGB"), float)
            assert (shown[..., 2] - shown[..., 0]).mean() > BLUE
            page.get_by_text("Add categorical metadata field").click()
            for name in ("verdict", "standing", "reviewers", "rounds", "reasons", "source"):
                expect(page.get_by_text(name, exact=True).last).to_be_visible()
            page.keyboard.press("Escape")
            for name in ("doubt", "confidence"):
                expect(page.get_by_role("heading", name=name, exact=True)).to_be_attached()
            for name in ("review", "fix", "reject"):
                expect(page.get_by_text(name, exact=True)).to_be_visible()
            page.get_by_test_id("sample-selected-box").first.click(force=True)
            assign = page.get_by_placeholder("Assign tag to selection")
            assign.click()
            assign.fill("reject")
            page.wait_for_timeout(2000)  # for the list of tags below it
            assign.press("Enter")
            page.wait_for_timeout(3000)
            with closing(pipelines.open_workspace(root)) as workspace:
                journal = pipelines.settled_journal(folder)
                assert pipelines.pull_tags(workspace, journal, "ann").tags == {"reject": 1}
                again = pipelines.settled_journal(folder)
                assert pipelines.pull_tags(workspace, again, "ben") == pipelines.PulledTags()
            page.get_by_text("Embed", exact=True).click()
            expect(page.get_by_text("Color by")).to_be_visible(timeout=30_000)
            # A search in words would need a network of theirs: it is not fetched.
            page.get_by_placeholder("Search samples by").fill("a hat")
            page.keyboard.press("Enter")
            page.wait_for_timeout(1000)
            assert elsewhere == []
            page.close()
    assert not any(each.is_running() for each in running)
    assert {file.name for file in folder.iterdir()} == {"lock", "server.log", "tags.jsonl"}
