"""The report: its figures are the commands', nothing on it can run, and people can use it."""

import json
import re
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import Browser
from typer.testing import CliRunner

import pipelines
from dataengine.cli import app
from dataengine.console.rounds import scores_text
from db import (
    Decision,
    Mask,
    Portrait,
    Purpose,
    RequestState,
    Review,
    ReviewProject,
    ReviewRequest,
    Run,
)
from db.times import utc_now
from pipelines.certify import attempts as ledger
from pipelines.pages.report import write_report
from pipelines.pages.rows import LAPSED
from pipelines.portraits.decisions import votes
from pipelines.portraits.latest import latest_masks
from pipelines.rounds.history import list_rounds
from pipelines.rounds.measures import MEASURES
from tests.conftest import FAST_INGEST, Crawl
from tests.pipelines.pages.conftest import seen

SCRIPT = "</script><script>alert(1)</script>"
HANDLER = "<img src=x onerror=alert(2)>"


def made(root: Path, out: Path, **options: int) -> pipelines.Reported:
    with closing(pipelines.open_workspace(root)) as workspace:
        return write_report(workspace, pipelines.ReportRequest(out=out, **options))


def figures(page: str) -> dict[str, str]:
    """Marked figures of a page by their keys in `status --json`, where a key comes once."""
    found = re.findall(r'data-figure="([^"]+)">([^<]*)<', page)
    return {key: text.strip() for key, text in found}


def test_figures_are_those_that_commands_print(turned_copy: Path, report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    on_page = figures(page)
    with closing(pipelines.open_workspace(turned_copy, read_only=True)) as workspace:
        status = pipelines.workspace_status(workspace).as_dict()
        slices = pipelines.slice_lines(workspace)
        rounds = list_rounds(workspace)
    compared = 0
    for key, text in on_page.items():
        value = status
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            assert text == f"{value:,}", key
            compared += 1
    assert compared >= 15
    for line in slices:
        row = page.split(f'data-slice="{line.trait} {line.low}"')[1].split("</tr>")[0]
        told = figures(row)
        assert told["portraits"] == f"{line.portraits:,}"
        assert told["decided"] == f"{line.decided:,}"
        assert told["accepted"].split()[0] == f"{line.accepted:,}"
        assert told["bad_rate"] == str(line.bad_rate)
    (run,) = rounds
    told = figures(page.split(f'data-run="{run.folder}"')[1].split("</tr>")[0])
    assert run.metrics is not None
    assert told["native_iou"].startswith(f"{100 * run.metrics['native_iou']:.2f} [")
    (reviewer,) = status["review"]["reviewers"].items()
    told = figures(page.split(f'data-reviewer="{reviewer[0]}"')[1].split("</tr>")[0])
    assert told["accept"] == f"{reviewer[1]['decisions']['accept']:,}"
    missed = reviewer[1]["error_rates"]["missed"]
    assert told["missed"].startswith(f"{missed['errors']} of {missed['shown']} (")


def test_masks_of_a_certificate_that_lapsed_are_not_trusted(
    turned_copy: Path, report: Path, tmp_path: Path
) -> None:
    """In the rows it is certified still: the next `certify` voids it, and the page knows."""
    root = Path(shutil.copytree(turned_copy, tmp_path / "portraits"))
    with (
        closing(pipelines.open_workspace(root)) as workspace,
        workspace.engine.begin() as connection,
    ):
        (attempt,) = ledger.attempts(connection)
        assert attempt.state == "certified"
        # Another network labels one of its portraits anew.
        first = sa.select(Mask.__table__).where(Mask.id == min(ledger.items(connection, attempt)))
        old = dict(connection.execute(first).one()._mapping)
        new = old | {"id": None, "revision": old["revision"] + 1, "producer": "another network"}
        connection.execute(sa.insert(Mask).values(new))
        shown = set(connection.scalars(sa.select(Mask.id).where(latest_masks())))
        cast = votes(connection)
    lapsed = sum(all(each.is_rule for each in cast[key]) for key in shown & cast.keys())
    assert Counter(words_of(data_of(report), "standing"))["certified"] == lapsed + 1
    page = tmp_path / "report.html"
    made(root, page)
    words = Counter(words_of(data_of(page), "standing"))
    assert words[LAPSED] == lapsed + 1  # the former mask of the one that shows another, too
    assert "certified" not in words
    says = "It holds no longer: masks of its set were replaced or are gone."
    assert says in page.read_text(encoding="utf-8")


def test_the_page_works_in_a_browser(report: Path, browser: Browser) -> None:
    shown = seen(browser, report)
    page, data = shown.page, data_of(report)
    assert shown.violations() == []
    # Whether the checks reject any is for the networks to say.
    rarest, number = Counter(words_of(data, "verdict")).most_common()[-1]
    page.select_option("#f-verdict", label=option(page, "#f-verdict", rarest))
    assert page.inner_text("#count").startswith(f"{number} of {len(data['items'])} portraits")
    assert page.locator("#grid .tile").count() == number
    assert set(page.locator("#grid .verdict").all_inner_texts()) == {rarest}
    page.select_option("#f-verdict", label=option(page, "#f-verdict", "review"))
    pairs = zip(words_of(data, "verdict"), data["doubt"], strict=True)
    doubts = sorted(share for verdict, share in pairs if verdict == "review" and share <= 10000)
    least = doubts[len(doubts) // 2]
    page.fill("#f-low", str(least / 100))
    doubtful = sum(share >= least for share in doubts)
    assert page.inner_text("#count").startswith(f"{doubtful} of")
    page.click("#filters button[type=reset]")
    page.wait_for_function("document.querySelector('#count').textContent.startsWith('160 of')")
    # A click on the funnel shows those masks.
    page.click('button[data-word="candidate"]')
    assert set(page.locator("#grid .verdict").all_inner_texts()) == {"candidate"}
    # By keyboard: a picture, its details, the next one, and back to where one was.
    page.locator("#grid .tile").first.focus()
    first = page.inner_text("#inspector h4")
    page.keyboard.press("Enter")
    assert page.inner_text("#detail-title") == first
    assert page.locator("#detail figure").count() == 3
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#detail-title") != first
    page.keyboard.press("Escape")
    assert not page.locator("#detail").is_visible()
    assert page.evaluate("document.activeElement.className") == "tile"
    assert page.locator(".chart svg").count() >= 4
    assert shown.complaints == []
    assert [url for url in shown.requests if not url.startswith(("file:", "blob:"))] == []
    page.close()


def test_it_fits_a_telephone_in_the_dark(report: Path, browser: Browser) -> None:
    shown = seen(browser, report, width=390, scheme="dark")
    assert shown.violations() == []
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 390
    dark = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == "rgb(21, 23, 27)"
    shown.page.close()


def test_foreign_text_is_only_shown(tmp_path: Path, browser: Browser) -> None:
    crawl = tmp_path / "crawl"
    crawl.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    Image.fromarray(noise).save(crawl / f"{HANDLER}.png")
    (crawl / f"{HANDLER} broken.jpg").write_bytes(b"\xff\xd8 no photo")
    root = tmp_path / "workspace"
    answer = CliRunner().invoke(app, ["-w", str(root), "ingest", str(crawl)], env=FAST_INGEST)
    assert answer.exit_code == 0, answer.output
    with closing(pipelines.open_workspace(root)) as workspace, workspace.engine.begin() as c:
        (mask,) = c.execute(sa.select(Mask.id, Mask.portrait_id))
        project = {"url": "http://x", "server_project_id": 1, "title": SCRIPT, "nonce": "n"}
        c.execute(sa.insert(ReviewProject).values(project))
        asked = {
            "mask_id": mask.id, "portrait_id": mask.portrait_id, "key": "k", "replicate": 0,
            "purpose": Purpose.REVIEW, "drawn_at_random": True, "project_id": 1,
            "state": RequestState.ANSWERED, "problem": SCRIPT,
        }  # fmt: skip
        request = c.scalar(sa.insert(ReviewRequest).values(asked).returning(ReviewRequest.id))
        said = {"mask_id": mask.id, "request_id": request, "decision": Decision.ACCEPT}
        said |= {"reviewer": SCRIPT, "comment": HANDLER, "reasons": [HANDLER]}
        c.execute(sa.insert(Review).values(said | {"decided_at": utc_now()}))
        c.execute(sa.update(Mask).values(reasons=[SCRIPT]))
    out = tmp_path / "page.html"
    made(root, out)
    shown = seen(browser, out)
    shown.page.locator("#grid .tile").click()
    assert shown.complaints == []
    assert HANDLER in shown.page.inner_text("#detail-body")
    assert SCRIPT in shown.page.inner_text("#detail-body")
    shown.page.close()


def test_a_page_without_anything(tmp_path: Path, browser: Browser) -> None:
    root, out = tmp_path / "empty", tmp_path / "page.html"
    pipelines.init_workspace(root)
    assert made(root, out).portraits == 0
    shown = seen(browser, out)
    assert (shown.violations(), shown.complaints) == ([], [])
    assert "No file was offered yet" in shown.page.inner_text("#funnel")
    shown.page.close()


def test_a_page_before_anybody_has_looked(
    ingested: Crawl, tmp_path: Path, browser: Browser
) -> None:
    """No score, no reviews, no rounds; and a failure, whose folder is nobody's business."""
    root = Path(shutil.copytree(ingested.workspace, tmp_path / "workspace"))
    out = tmp_path / "page.html"
    made(root, out)
    shown = seen(browser, out)
    assert (shown.violations(), shown.complaints) == ([], [])
    assert "No score has judged these masks yet" in shown.page.inner_text("#masks")
    assert "Nobody has decided anything yet" in shown.page.inner_text("#reviewers")
    assert "broken.jpg" in shown.page.inner_text("#failures")
    assert str(ingested.raw) not in out.read_text(encoding="utf-8")
    shown.page.close()


def test_a_damaged_blob_is_said_and_not_shown(ingested: Crawl, tmp_path: Path) -> None:
    root = Path(shutil.copytree(ingested.workspace, tmp_path / "workspace"))
    out = tmp_path / "page.html"
    assert made(root, out).unreadable == 0
    with closing(pipelines.open_workspace(root)) as workspace:
        with workspace.engine.connect() as connection:
            blob = connection.scalars(sa.select(Portrait.blob)).first()
        file = workspace.store.local_path(str(blob))
    assert file is not None
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1])
    done = made(root, out)
    assert done.unreadable >= 1
    assert "cannot be read: a blob is missing or damaged" in out.read_text(encoding="utf-8")


def test_a_sample_says_so(turned_copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = made(turned_copy, out, pictures=60)
    assert (done.portraits, done.pictures) == (160, 60)
    assert "Pictures of 60 of the 160 portraits are on this page" in out.read_text(encoding="utf-8")
    assert len(data_of(out)["doubt"]) == 160


def test_a_run_of_an_older_version_is_shown_without_what_it_did_not_keep(
    turned_copy: Path, tmp_path: Path, browser: Browser
) -> None:
    with closing(pipelines.open_workspace(turned_copy)) as workspace:
        (line,) = list_rounds(workspace)
        older = dict(line.metrics or {})
        del older["native_iou_interval_95"]
        with workspace.engine.begin() as connection:
            connection.execute(sa.update(Run).values(metrics=older))
    native, f1 = (f"{100 * older[name]:.2f}" for name in MEASURES)
    assert scores_text(older).startswith(f"native IoU {native}, boundary F1 {f1} [")
    out = tmp_path / "older.html"
    made(turned_copy, out)
    told = figures(out.read_text(encoding="utf-8").split(f'data-run="{line.folder}"')[1])
    assert told["native_iou"] == native
    assert told["boundary_f1"].startswith(f"{f1} [")
    shown = seen(browser, out)
    assert shown.violations() == []
    assert shown.page.locator("#rounds-chart svg").count() > 0


@pytest.mark.parametrize(
    ("name", "says"), [("page.png", "ends with .html"), ("no/page.html", "there is no folder")]
)
def test_what_cannot_be_written_is_one_line(ingested: Crawl, name: str, says: str) -> None:
    answer = CliRunner().invoke(app, ["-w", str(ingested.workspace), "report", name])
    assert says in str(answer.exception)


def data_of(file: Path) -> dict[str, object]:
    """What the page's scripts are given, with the columns unpacked."""
    text = re.search(r'id="data">(.*?)</script>', file.read_text(encoding="utf-8"))
    assert text is not None
    found = json.loads(text[1])
    import base64

    found["doubt"] = np.frombuffer(base64.b64decode(found["portraits"]["doubt"]), "<u2").tolist()
    found["items"] = [each for each in found["pictures"]["items"] if each["row"] is not None]
    return dict(found)


def words_of(data: dict[str, object], name: str) -> list[str]:
    """A column of single words."""
    import base64

    column = data["portraits"]["columns"][name]  # type: ignore[index]
    rows = np.frombuffer(base64.b64decode(column["rows"]), f"<u{column['bytes']}")
    return [column["words"][column["sets"][row][0]] for row in rows]


def option(page: object, select: str, word: str) -> str:
    """The text of an option, which ends with a number."""
    texts = page.locator(f"{select} option").all_inner_texts()  # type: ignore[attr-defined]
    return str(next(text for text in texts if text.startswith(word)))
