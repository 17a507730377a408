"""The main subject of drawn scenes, where the right mask is known."""

import numpy as np
import numpy.typing as npt
import pytest

from pipelines.masks.subject import (
    face_region,
    fill_holes,
    main_subject,
    nearest_face_region,
    refine_edges,
)
from pipelines.pictures.geometry import Face, face_window
from pipelines.workspace.settings import SubjectSettings

Mask = npt.NDArray[np.bool_]
SETTINGS = SubjectSettings()


def face(x: float, y: float, height: float = 40, confidence: float = 0.99) -> Face:
    """A face around a centre."""
    box = (x - 0.4 * height, y - height / 2, x + 0.4 * height, y + height / 2)
    return Face(box, ((x, y),) * 5, confidence)


def person(shape: tuple[int, int], x: int, y: int) -> Mask:
    """A head of radius 30 around (x, y) and a body 100 wide down to the lower border."""
    rows, columns = np.indices(shape)
    head = np.hypot(rows - y, columns - x) < 30
    body = (np.abs(columns - x) < 50) & (rows > y + 20)
    return head | body


def subject(
    seen: Mask, own: Face, *others: Face, picture: Mask | None = None, sure: float = 0.98
) -> Mask:
    """The subject where the teacher is `sure` of `seen` in a picture with the same edges."""
    probability = np.where(seen, sure, 1 - sure).astype(np.float32)
    bright = seen if picture is None else picture
    rgb = np.where(bright[..., None], np.uint8(200), np.uint8(40)).repeat(3, axis=2)
    return main_subject(probability, rgb, own, others, SETTINGS)


def iou(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / (a | b).sum())


def rows_of(*lines: str) -> Mask:
    return np.array([[sign == "#" for sign in line] for line in lines])


def test_one_person_is_kept_as_seen() -> None:
    seen = person((400, 300), 150, 120)
    assert iou(subject(seen, face(150, 120)), seen) > 0.98


def test_a_bystander_apart_is_background() -> None:
    own, other = person((400, 400), 100, 120), person((400, 400), 300, 150)
    assert iou(subject(own | other, face(100, 120), face(300, 150)), own) > 0.98
    assert iou(subject(own | other, face(300, 150), face(100, 120)), other) > 0.98
    # Also one that the detector has not seen.
    assert iou(subject(own | other, face(100, 120)), own) > 0.98


def test_two_people_shoulder_to_shoulder_are_parted_between_their_faces() -> None:
    seen = person((400, 400), 155, 120) | person((400, 400), 245, 120)
    left = subject(seen, face(155, 120), face(245, 120))
    assert left[:, :195].sum() == pytest.approx(seen[:, :195].sum(), rel=0.02)
    assert not left[:, 205:].any()
    right = subject(seen, face(245, 120), face(155, 120))
    assert not (left & right)[:, :195].any()
    assert iou(left | right, seen) > 0.97


@pytest.mark.parametrize(
    "doubtful", [face(245, 120, confidence=0.7), face(245, 120, height=8), face(700, 120)]
)
def test_a_doubtful_tiny_or_distant_face_takes_nothing_away(doubtful: Face) -> None:
    seen = person((400, 400), 155, 120) | person((400, 400), 245, 120)
    assert iou(subject(seen, face(155, 120), doubtful), seen) > 0.97


def test_a_hole_within_the_person_is_closed() -> None:
    whole = person((400, 300), 150, 120)
    holed = whole.copy()
    holed[250:290, 130:170] = False
    assert iou(subject(holed, face(150, 120)), whole) > 0.98


def test_without_a_person_at_the_face_the_teachers_opinion_stays() -> None:
    elsewhere = person((400, 400), 300, 200)
    assert iou(subject(elsewhere, face(60, 60)), elsewhere) > 0.98
    assert not subject(np.zeros((400, 300), np.bool_), face(150, 120)).any()


def test_a_rival_nearer_to_all_that_was_seen_leaves_it_to_the_verdict() -> None:
    seen = person((400, 400), 300, 200)
    assert iou(subject(seen, face(60, 60), face(300, 200)), seen) > 0.98


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (400, 2), (3, 3)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_degenerate_crops(shape: tuple[int, int], value: float) -> None:
    probability = np.full(shape, value, np.float32)
    rgb = np.full((*shape, 3), 99, np.uint8)
    mask = main_subject(probability, rgb, face(0, 0), [face(500, 500)], SETTINGS)
    assert mask.shape == shape
    assert mask.dtype == np.bool_
    assert (mask == bool(value)).all()


def test_a_coarse_edge_is_drawn_to_the_edge_of_the_picture() -> None:
    # The teacher's edge is 8 pixels off and 24 wide; the picture's is at column 150.
    columns = np.arange(300)
    ramp = np.clip((columns - 158 + 12) / 24, 0, 1).astype(np.float32)
    probability = np.tile(ramp, (400, 1))
    rgb = np.where(columns[None, :, None] < 150, 60, 180).astype(np.uint8)
    rgb = np.ascontiguousarray(np.broadcast_to(rgb, (400, 300, 3)))
    edge = (refine_edges(probability, rgb, SETTINGS) > SETTINGS.threshold).argmax(axis=1)
    assert np.abs(edge - 150).max() <= 2


def test_refining_keeps_what_has_no_edges() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    for value in (0.0, 0.3, 1.0):
        refined = refine_edges(np.full((300, 200), value, np.float32), noise, SETTINGS)
        assert refined == pytest.approx(value, abs=1e-3)


def test_the_region_of_the_face_is_the_one_that_holds_most_of_it() -> None:
    mask = rows_of("##.#", "##.#", "...#")
    held = Face((0, 0, 4, 2), (), 1)
    np.testing.assert_array_equal(face_region(mask, held), rows_of("##..", "##..", "...."))
    beside = Face((2, 0, 3, 3), (), 1)
    np.testing.assert_array_equal(face_region(mask, beside), mask)
    diagonal = rows_of("#...", ".#..", "...#")
    corner = Face((0, 0, 1, 1), (), 1)
    np.testing.assert_array_equal(face_region(diagonal, corner), rows_of("#...", ".#..", "...."))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["#####", "#...#", "#####"], ["#####", "#####", "#####"]),
        # Open below is clothing; open to the sides or above is background.
        (["#####", "##.##", "##.##"], ["#####", "#####", "#####"]),
        (["##.##", "##.##", "#####"], ["##.##", "##.##", "#####"]),
        (["#####", "..###", "#####"], ["#####", "..###", "#####"]),
        (["#####", "###..", "#####"], ["#####", "###..", "#####"]),
        # A gap that only touches another at a corner is closed off.
        (["####.", "###.#", "##.##", "#####"], ["####.", "#####", "#####", "#####"]),
        ([".....", "....."], [".....", "....."]),
        (["#####", "#####"], ["#####", "#####"]),
    ],
)
def test_holes(before: list[str], after: list[str]) -> None:
    np.testing.assert_array_equal(fill_holes(rows_of(*before)), rows_of(*after))


def test_the_ground_is_shared_by_distance_in_faces() -> None:
    shape = (200, 300)
    own = nearest_face_region(shape, face(50, 100), [face(250, 100)])
    assert own[:, :149].all()
    assert not own[:, 152:].any()
    # Beside a face three times as high, a quarter of the way is left.
    own = nearest_face_region(shape, face(50, 100, 40), [face(250, 100, 120)])
    assert own[100, :99].all()
    assert not own[100, 102:].any()


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((10.7, 20.2, 30.4, 49.6), (20, 50), (10, 30)),
        ((-5, -5, 10, 10), (0, 10), (0, 10)),
        ((90, 90, 500, 500), (90, 100), (90, 100)),
        ((-50, -50, -10, -10), (0, 1), (0, 1)),
        ((200, 200, 300, 300), (99, 100), (99, 100)),
    ],
)
def test_the_window_of_a_face_is_never_empty(
    box: tuple[float, float, float, float], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    window = face_window(Face(box, (), 1), (100, 100))
    assert window == (slice(*rows), slice(*columns))
