"""Pages as files: charts as they were published, foreign text that cannot end a script."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from pipelines.pages.rendering import ASSETS, CHARTS, check_target, render, write_page
from pipelines.workspace.errors import PipelineError

PUBLISHED = {
    "d3.min.js": "912111098ea99503a6f4967361d2bbdc9dbf58cf9c678c8e27e5b02d1a07f0c1",
    "plot.umd.min.js": "4358086467740777dd788d6b27a95cebdbaefdd50c730a3060117073bd7134cb",
}
"""SHA-256 in the packages d3 7.9.2 and @observablehq/plot 0.6.17 of npm."""


def test_charts_are_the_published_files_with_their_licences() -> None:
    assert set(PUBLISHED) == set(CHARTS)
    for name, digest in PUBLISHED.items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest
        licence = (ASSETS / f"{name.partition('.')[0]}.LICENSE.txt").read_text(encoding="utf-8")
        assert "Permission to use, copy, modify, and/or distribute" in licence


def test_data_ends_no_script_and_comes_back() -> None:
    text = "</script><!--<script>&amp; \udcff\u2028"
    page = render("base.html.jinja", (), {"text": text}, {})
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert [json.loads(each) for each in found] == [{"text": text}]
    assert page.count("<script") == 1


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_page(target, "\udcff")
    assert target.read_text() == "before"
    assert write_page(target, "ä") == 2
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(PipelineError, match="is a folder"):
        check_target(tmp_path / "folder.html")
