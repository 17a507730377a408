"""What changed between releases: counted, explained, shown, and refused where it means nothing."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import Browser

import pipelines
from db import Decision, Mask, MaskSource, Purpose, RequestState, Review, ReviewRequest, Split
from db.times import utc_now
from pipelines.pages.diff import DiffRequest, diff_releases
from pipelines.pages.difference import Difference, What, difference
from pipelines.pages.reasons import Knowledge, Why
from pipelines.pages.sides import Side
from pipelines.releases.building import read_manifest
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from sinet.run_files import SCORES_FILE
from tests.pipelines.pages.conftest import seen

BEA = "<b>bea</b>@example.org"


@pytest.fixture(scope="module")
def two(turned_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with round 1, and a release after a fix, a rejection and a forgotten photo."""
    root = Path(
        shutil.copytree(turned_copy, tmp_path_factory.mktemp("two") / "portraits", symlinks=True)
    )
    with closing(pipelines.open_workspace(root)) as workspace:
        members = [
            each
            for each in read_manifest(root / "releases/round-1")
            if str(each.trust) == "accepted" and each.split is Split.TRAIN
        ]
        fixed, rejected, forgotten = members[:3]
        pixels = np.zeros((fixed.height, fixed.width), np.uint8)
        pixels[10:50, 10:40] = 255
        decide(workspace, fixed.portrait_id, fixed.mask_id, pixels)
        decide(workspace, rejected.portrait_id, rejected.mask_id, None)
        photo = pipelines.ForgetRequest(photos=[forgotten.photo_sha256])
        pipelines.forget_photos(workspace, photo)
        pipelines.export_release(workspace, pipelines.ExportRequest(out=root / "second"))
    return root


def decide(
    workspace: Workspace, portrait_id: int | None, mask_id: int | None, drawn: object
) -> None:
    """Bea fixes or rejects a mask; Ann, who had accepted it, takes that back."""
    assert portrait_id is not None
    with workspace.engine.begin() as connection:
        connection.execute(
            sa.update(Review).where(Review.mask_id == mask_id).values(withdrawn_at=utc_now())
        )
        request = connection.execute(
            sa.select(ReviewRequest.__table__).where(ReviewRequest.mask_id == mask_id)
        ).first()
        assert request is not None
        asked = {**request._mapping, "key": f"again {mask_id}", "replicate": 7}
        asked |= {"purpose": Purpose.REVIEW, "state": RequestState.ANSWERED, "task_id": None}
        del asked["id"]
        added = sa.insert(ReviewRequest).values(asked).returning(ReviewRequest.id)
        said = {"mask_id": mask_id, "request_id": connection.scalar(added), "reviewer": BEA}
        said |= {"decided_at": utc_now(), "decision": Decision.REJECT}
        if isinstance(drawn, np.ndarray):
            blob = workspace.store.put(BlobKind.MASK, png(drawn))
            values = {"portrait_id": portrait_id, "revision": 90, "source": MaskSource.HUMAN}
            values |= {"producer": "bea", "blob": blob, "verdict": "candidate"}
            new = connection.scalar(sa.insert(Mask).values(values).returning(Mask.id))
            said |= {"decision": Decision.FIX, "fixed_mask_id": new, "fixed_iou": 0.5}
        connection.execute(sa.insert(Review).values(said))


def png(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> bytes:
    import io

    data = io.BytesIO()
    Image.fromarray(pixels).convert("1").save(data, "PNG")
    return data.getvalue()


def compared(root: Path, before: str, after: str, html: Path | None = None) -> Difference:
    with closing(pipelines.open_workspace(root, read_only=True)) as workspace:
        return diff_releases(workspace, DiffRequest(before=before, after=after, html=html))


def test_who_and_why(two: Path) -> None:
    found = compared(two, "1", str(two / "second"))
    assert found.before == "round-1"
    assert found.split_changes == []
    assert found.student is None  # only one of them was learnt from
    (changed,) = (each for each in found.changes if each.what is What.CHANGED)
    assert (changed.why, changed.by) == (Why.REVIEW, BEA)
    one, other = (
        np.asarray(Image.open(folder / f"masks/{changed.name}.png").convert("L")) > 127
        for folder in (two / "releases/round-1", two / "second")
    )
    assert changed.pixels == np.count_nonzero(one ^ other)
    assert changed.iou == pytest.approx(np.sum(one & other) / np.sum(one | other))
    removed = [each for each in found.changes if each.what is What.REMOVED]
    assert [each.by for each in removed if each.why is Why.REVIEW] == [BEA]
    assert sum(each.why is Why.FORGET for each in removed) == 1
    names = {each.name for each in read_manifest(two / "releases/round-1")}
    later = {each.name for each in read_manifest(two / "second")}
    assert (found.added, found.removed) == (len(later - names), len(names - later))
    assert found.added + found.changed + found.same == len(later)
    assert sum(found.reasons.values()) == len(found.changes)


def test_folders_need_no_workspace(two: Path) -> None:
    request = DiffRequest(before=str(two / "releases/round-1"), after=str(two / "second"))
    found = diff_releases(None, request)
    (changed,) = (each for each in found.changes if each.what is What.CHANGED)
    assert (changed.why, changed.by) == (Why.REVIEW, "")
    assert changed.pixels
    assert {each.why for each in found.changes if each.what is What.REMOVED} == {Why.UNKNOWN}


def test_the_page_shows_them_side_by_side(two: Path, tmp_path: Path, browser: Browser) -> None:
    out = tmp_path / "diff.html"
    compared(two, "round-1", str(two / "second"), out)
    shown = seen(browser, out)
    assert (shown.violations(), shown.complaints) == ([], [])
    assert shown.page.locator(".change .tile").count() == 2
    assert BEA in shown.page.inner_text(".change")
    shown.page.locator(".change .tile").first.press("Enter")
    assert shown.page.locator("#detail").is_visible()
    assert [url for url in shown.requests if not url.startswith(("file:", "blob:"))] == []
    shown.page.close()


def damage(folder: Path) -> None:
    image = next((folder / "images").iterdir())
    image.chmod(0o600)
    image.write_bytes(b"other")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("round-1", "1", "are the same release, byte for byte"),
        ("7", "second", "no such round was frozen under this number; releases: "),
        ("nothing", "second", "no such release, and no such folder; releases: "),
        ("raw", "second", "has no checksums.txt: not a release"),
        ("damaged", "second", "its content is not what was released"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "second").symlink_to(two / "second")
    shutil.copytree(two / "second", tmp_path / "damaged")
    damage(tmp_path / "damaged")
    with pytest.raises(pipelines.PipelineError, match=says) as raised:
        compared(two, before, after)
    assert "\n" not in str(raised.value)


def side(two: Path, name: str, run: Path | None = None) -> Side:
    entries = {each.name: each for each in read_manifest(two / "releases/round-1")}
    return Side(name=name, folder=two, checksum=name, release=None, run=run, entries=dict(entries))


def no_masks(key: str) -> bytes:
    raise OSError(key)


def test_a_photo_in_another_split_is_flagged(two: Path) -> None:
    older, newer = side(two, "a"), side(two, "b")
    name = next(name for name, each in newer.entries.items() if each.split is Split.TEST)
    newer.entries[name] = replace(newer.entries[name], split=Split.TRAIN)
    (flagged,) = difference(older, newer, Knowledge(), no_masks).split_changes
    assert flagged.photo_sha256 == newer.entries[name].photo_sha256
    assert (flagged.before, flagged.after) == ("test", "train")


def test_the_causes_of_a_students_score_add_up(two: Path, tmp_path: Path) -> None:
    def run(name: str, scores: dict[str, float]) -> Path:
        (tmp_path / name).mkdir()
        found = {
            key: {"student": {"native_iou": value}, "compared_with": {"native_iou": 0}}
            for key, value in scores.items()
        }
        (tmp_path / name / SCORES_FILE).write_text(json.dumps(found))
        return tmp_path / name

    first, second, third, fourth = list(side(two, "a").entries)[:4]
    older = side(two, "a", run("one", {first: 0.8, second: 0.6, third: 0.1}))
    newer = side(two, "b", run("two", {first: 0.9, second: 0.9, fourth: 0.3}))
    newer.entries[second] = replace(newer.entries[second], mask_blob=f"masks/aa/aa{62 * '0'}.png")
    found = difference(older, newer, Knowledge(), no_masks)
    student = found.student
    assert student is not None
    assert student.compared == 2
    assert student.same == pytest.approx(0.1 / 2)
    assert student.changed_masks == pytest.approx(0.3 / 2)
    assert student.added == pytest.approx(0.7 - 0.9)
    assert student.removed == pytest.approx(0.7 - 0.5)
    causes = student.same + student.changed_masks + student.added + student.removed
    assert student.change == pytest.approx(causes)
    assert student.after - student.before == pytest.approx(0.2)
    # No mask could be read: that a mask changed is known, by how much is not.
    (changed,) = found.changes
    assert (changed.what, changed.pixels, changed.iou) == (What.CHANGED, None, None)
