"""What portraits are like, thirds of them, and what stands beside a certificate."""

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from db import Mask, Portrait, PortraitTraits, reader
from pipelines.certify.findings import AuditedSlice, Findings, findings_of
from pipelines.doubt.slices import (
    SliceLine,
    cut,
    least_accepted,
    most_bad,
    rate_of_worst,
    slice_lines,
)
from pipelines.doubt.stored_traits import known_traits, remember_traits
from pipelines.pictures.geometry import Face
from pipelines.pictures.traits import TITLES, described, head_tilt, head_turn, traits
from pipelines.portraits.reviewer_errors import ReviewerErrors, rate
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.pipelines.reviewed_workspaces import NUMBER, Prepared, opened_copy

STRAIGHT = Face((40, 20, 80, 80), ((50, 40), (70, 40), (60, 50), (52, 62), (68, 62)), 0.99)


def turned(angle: float) -> Face:
    """The same face, its landmarks rotated in the picture."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    points = [(60 + cos * x - sin * y, 50 + sin * x + cos * y)
              for x, y in ((x - 60, y - 50) for x, y in STRAIGHT.landmarks)]  # fmt: skip
    return replace(STRAIGHT, landmarks=tuple(points))


def test_a_face_that_looks_at_the_camera() -> None:
    assert head_turn(STRAIGHT) == head_tilt(STRAIGHT) == 0


@pytest.mark.parametrize("angle", [-30, 15, 90, 170])
def test_tilt_is_the_angle_of_the_eyes_and_turn_does_not_see_it(angle: float) -> None:
    assert head_tilt(turned(angle)) == pytest.approx(abs(angle))
    assert head_turn(turned(angle)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("nose", "expected"), [(65, 0.25), (55, 0.25), (70, 0.5), (200, 1)])
def test_turn_is_how_far_the_nose_leaves_the_middle(nose: float, expected: float) -> None:
    marks = (*STRAIGHT.landmarks[:2], (nose, 50), *STRAIGHT.landmarks[3:])
    assert head_turn(replace(STRAIGHT, landmarks=marks)) == pytest.approx(expected)


def test_eyes_that_meet_are_a_profile() -> None:
    assert head_turn(replace(STRAIGHT, landmarks=((50, 40),) * 5)) == 1


def test_all_traits_and_their_names() -> None:
    found = traits(STRAIGHT, (120, 100), 100.0, 0.05)
    assert (found.face_px, found.brightness, found.sharpness) == (60, 100, 0.05)
    assert found.off_centre == 0
    corner = traits(STRAIGHT, (2 * 60, 2 * 50 + 400), 100.0, 0.05)
    assert corner.off_centre == pytest.approx(200 / math.hypot(60, 250))
    assert set(TITLES) == set(vars(found))
    assert described("face_px", 64.2, 118) == "face height 64 to 118 px"
    assert described("turn", 0, 0.123) == "head turn 0.00 to 0.12"


def test_thirds_are_whole_and_apart() -> None:
    values = {i: dict.fromkeys(TITLES, float(i)) for i in range(30)}
    found = [each for each in cut(values) if each.trait == "turn"]
    assert [len(each.portraits) for each in found] == [10, 10, 10]
    assert [(each.low, each.high) for each in found] == [(0, 9), (10, 19), (20, 29)]
    alike = cut({i: dict.fromkeys(TITLES, 1.0) for i in range(5)})
    assert [len(each.portraits) for each in alike] == [5] * len(TITLES)
    assert cut({}) == []


def test_traits_are_computed_once_and_again_for_another_version(workspace: Workspace) -> None:
    assert remember_traits(workspace) == NUMBER
    assert remember_traits(workspace) == 0
    with reader(workspace.engine).begin() as connection:
        known = known_traits(connection)
        portrait = connection.execute(sa.select(Portrait.__table__)).first()
        scores = connection.scalar(sa.select(Mask.scores).where(Mask.portrait_id == portrait.id))
    own = known[portrait.id]
    assert own["face_px"] == portrait.face_box[3] - portrait.face_box[1]
    assert own["sharpness"] == scores["sharpness"]
    pixels = np.frombuffer(workspace.store.get(portrait.blob), np.uint8)
    grey = cv2.imdecode(pixels, cv2.IMREAD_GRAYSCALE)
    assert own["brightness"] == pytest.approx(grey.mean(), abs=2)
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(PortraitTraits).values(version=0))
    assert remember_traits(workspace) == NUMBER


def test_a_crop_that_is_no_picture_is_named(workspace: Workspace) -> None:
    blob = workspace.store.put(BlobKind.PORTRAIT, b"no picture")
    with workspace.engine.begin() as connection:
        connection.execute(sa.update(Portrait).values(blob=blob))
    with pytest.raises(WorkspaceError, match="this blob is no image"):
        remember_traits(workspace)


def test_lines_count_decisions_of_their_slice(reviewed: Prepared, tmp_path: Path) -> None:
    workspace, _ = opened_copy(reviewed, tmp_path)
    with workspace.engine.begin() as connection:
        # The bad masks are of large faces.
        for row in connection.execute(sa.select(Portrait.id).order_by(Portrait.id)).all():
            size = 300.0 if (row.id - 1) % 3 == 0 else 50.0 + row.id
            box = [0.0, 0.0, size, size]
            update = sa.update(Portrait).where(Portrait.id == row.id).values(face_box=box)
            connection.execute(update)
    lines = slice_lines(workspace)
    workspace.close()
    assert sum(line.portraits for line in lines if line.trait == "face_px") == NUMBER
    assert all(line.decided == line.portraits for line in lines), "all were decided about"
    worst, least = most_bad(lines), least_accepted(lines)
    assert worst is not None
    assert least is not None
    assert (worst.trait, worst.high) == (least.trait, least.high) == ("face_px", 300)
    assert worst.bad_rate.errors == worst.bad_rate.shown == worst.portraits == NUMBER / 3
    assert least.accepted == 0


def audited(errors: int, shown: int, listed: int) -> AuditedSlice:
    return AuditedSlice("turn", 0, 1, 100, listed, rate(errors, shown))


def errors(missed: int, shown: int) -> ReviewerErrors:
    return ReviewerErrors(rate(missed, shown), rate(0, 0), rate(0, 0))


def findings(*slices: AuditedSlice) -> Findings:
    return Findings(2, errors(2, 20), 0.05, list(slices))


def test_worst_is_the_slice_that_is_bad_most_surely() -> None:
    many, one, none = audited(20, 60, 60), audited(1, 1, 20), audited(0, 5, 90)
    assert findings(one, many, none).worst == many
    assert findings(none).worst is None
    assert findings(many, none).least_audited == none
    assert findings(many, one, none).least_listed == one
    assert findings().worst is findings().least_audited is findings().least_listed is None
    assert findings_of(findings(many).as_dict()) == findings(many)


def line(decided: int, accepted: int, bad: int, shown: int) -> SliceLine:
    return SliceLine("turn", 0, 1, 100, decided, accepted, rate(bad, shown))


def test_what_nobody_was_asked_about_is_not_accepted_least() -> None:
    unasked, usual, worse = line(0, 0, 0, 0), line(10, 9, 1, 10), line(50, 30, 20, 50)
    assert least_accepted([unasked, usual, worse]) == worse
    assert least_accepted([unasked]) is None
    assert most_bad([unasked, usual, worse]) == worse
    assert most_bad([unasked]) is None
    chosen = rate_of_worst([unasked, usual, worse], worse)
    assert (chosen.errors, chosen.shown) == (20, 50)
    assert chosen.low < worse.bad_rate.low < worse.bad_rate.high < chosen.high
