"""Scores of small drawn masks, with the numbers worked out by hand."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.masks.scores import MaskScores, mask_scores
from pipelines.pictures.geometry import Face
from pipelines.pictures.sharpness import sharpness

Mask = npt.NDArray[np.bool_]
HEIGHT, WIDTH = 200, 100
FACE = Face((20, 40, 60, 90), (), 0.99)


def box(rows: slice = slice(None), columns: slice = slice(None)) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[rows, columns] = True
    return mask


def probability(seen: Mask, inside: float = 1.0, outside: float = 0.0) -> npt.NDArray[np.float32]:
    return np.where(seen, inside, outside).astype(np.float32)


def scores(
    mask: Mask, seen: npt.NDArray[np.float32] | None = None, face: Face = FACE, *others: Face
) -> MaskScores:
    rgb = np.full((*mask.shape, 3), 128, np.uint8)
    return mask_scores(mask, rgb, face, others, seen)


def test_without_a_probability_there_are_only_scores_of_the_mask() -> None:
    found = scores(box(slice(100, 200)))
    assert found.as_dict() == {
        "area": 0.5,
        "face_in_mask": 0.0,
        "top_contact": 0.0,
        "face_cut": 0.0,
        "sharpness": 0.0,
        "short_side": 100.0,
        "other_faces": 0.0,
    }


def test_a_mask_of_what_the_teacher_was_sure_of() -> None:
    found = scores(box(columns=slice(0, 50)), probability(box(columns=slice(0, 50))))
    assert found.area == 0.5
    assert found.face_in_mask == 0.75  # columns 20 to 50 of 20 to 60
    assert (found.confidence, found.support, found.edge_agreement) == (1, 1, 1)
    assert (found.spill, found.filled, found.fragments) == (0, 0, 0)
    assert found.band_entropy == pytest.approx(0, abs=1e-4)
    assert found.top_contact == 0.5


@pytest.mark.parametrize(("p", "confidence", "entropy"), [(0.5, 0, 1), (0.75, 0.5, 0.8113)])
def test_doubt_everywhere(p: float, confidence: float, entropy: float) -> None:
    found = scores(box(slice(100, 200)), np.full((HEIGHT, WIDTH), p, np.float32))
    assert found.confidence == pytest.approx(confidence)
    assert found.band_entropy == pytest.approx(entropy, abs=1e-4)
    assert found.support == pytest.approx(p)
    assert found.spill == pytest.approx(1)  # as much outside as inside


def test_doubt_along_the_outline_is_in_the_band_alone() -> None:
    # 7 rows to either side of row 100 are the band; doubt reaches just as far.
    seen = probability(box(slice(100, 200)))
    seen[93:107] = 0.5
    found = scores(box(slice(100, 200)), seen)
    assert found.band_entropy == pytest.approx(1, abs=1e-3)
    assert found.confidence == pytest.approx(1 - 14 / HEIGHT, abs=1e-6)


def test_a_mask_without_outline_has_no_doubt_along_it() -> None:
    for mask in (box(), np.zeros((HEIGHT, WIDTH), np.bool_)):
        assert scores(mask, np.full((HEIGHT, WIDTH), 0.5, np.float32)).band_entropy == 0


def test_what_was_closed() -> None:
    seen = box()
    seen[100:120, 40:60] = False
    found = scores(box(), probability(seen))
    hole = 400 / (HEIGHT * WIDTH)
    assert found.filled == pytest.approx(hole)
    assert found.support == found.edge_agreement == pytest.approx(1 - hole)


def test_people_apart() -> None:
    mask, apart = box(slice(100, 200), slice(0, 50)), box(slice(0, 20), slice(80, 100))
    found = scores(mask, probability(mask | apart))
    assert found.fragments == found.spill == pytest.approx(400 / 5000)
    # What was cut off from a touching neighbour is spill, not a fragment.
    neighbour = box(slice(100, 200), slice(50, 60))
    found = scores(mask, probability(mask | neighbour))
    assert found.fragments == 0
    assert found.spill == pytest.approx(1000 / 5000)
    assert found.edge_agreement == pytest.approx(5000 / 6000)


def test_an_empty_mask_divides_nothing_by_zero() -> None:
    empty = np.zeros((HEIGHT, WIDTH), np.bool_)
    found = scores(empty, probability(box(slice(0, 20))))
    assert (found.area, found.support, found.filled, found.edge_agreement) == (0, 0, 0, 0)
    assert found.spill == found.fragments == 0
    nothing = scores(empty, probability(empty))
    assert (nothing.edge_agreement, nothing.spill, nothing.confidence) == (1, 0, 1)


@pytest.mark.parametrize(
    ("face_box", "cut"),
    [
        ((20, 40, 60, 90), 0),
        ((-20, 40, 20, 90), 0.5),
        ((80, 160, 120, 240), 0.75),
        ((-60, 0, -20, 50), 1),
        ((10, 10, 10, 10), 1),
    ],
)
def test_the_part_of_the_face_outside(
    face_box: tuple[float, float, float, float], cut: float
) -> None:
    assert scores(box(), face=Face(face_box, (), 1)).face_cut == pytest.approx(cut)


def test_other_faces_count_when_large_and_centred_within() -> None:
    counted = Face((60, 100, 80, 125), (), 1)  # half as high
    small = Face((60, 100, 80, 124), (), 1)
    outside = Face((90, 100, 111, 150), (), 1)  # its centre is at column 100.5
    assert scores(box(), None, FACE, counted, small, outside, counted).other_faces == 2


def test_large_crops_are_reduced_without_moving_scores() -> None:
    large, small = (np.zeros((400 * times, 300 * times), np.bool_) for times in (4, 1))
    large[800:, 300:900], small[200:, 75:225] = True, True
    for reduced, whole in zip(
        scores(small, probability(small)).as_dict().items(),
        scores(large, probability(large)).as_dict().items(),
        strict=True,
    ):
        if reduced[0] not in ("short_side", "face_in_mask"):
            assert whole == (reduced[0], pytest.approx(reduced[1], abs=0.01))


def test_a_crop_of_one_pixel() -> None:
    found = scores(np.ones((1, 1), np.bool_), np.ones((1, 1), np.float32))
    assert (found.area, found.face_in_mask, found.short_side) == (1, 1, 1)


def test_sharpness_falls_with_blur_and_not_with_contrast(astronaut: npt.NDArray[np.uint8]) -> None:
    face = np.ascontiguousarray(astronaut[60:176, 180:268])
    blurred = [np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8) for sigma in (2, 6)]
    found = [sharpness(picture) for picture in (face, *blurred)]
    assert found[0] > 0.05 > 0.01 > found[1] > found[2] > 0
    dim = (face // 3 + 20).astype(np.uint8)
    assert sharpness(dim) == pytest.approx(found[0], rel=0.1)
    assert sharpness(np.full((5, 5, 3), 77, np.uint8)) == 0
