import math

import cv2
import numpy as np
import pytest

from sinet.metrics import Counts, boundary_f1, boundary_iou, paired_bootstrap, rim


def mask(*rows):
    return np.array([[character == "#" for character in row] for row in rows])


EMPTY, FULL = mask("....", "...."), mask("####", "####")


@pytest.mark.parametrize(
    ("predicted", "truth", "counts", "iou", "background", "f1"),
    [
        (mask("##..", "##.."), mask("###.", "#..."), (3, 1, 1, 3), 3 / 5, 3 / 5, 6 / 8),
        (mask("#...", "...."), mask("####", "####"), (1, 0, 7, 0), 1 / 8, 0, 2 / 9),
        (mask("##..", "...."), mask("..##", "...."), (0, 2, 2, 4), 0, 4 / 8, 0),
        (EMPTY, EMPTY, (0, 0, 0, 8), 1, 1, 1),
        (FULL, FULL, (8, 0, 0, 0), 1, 1, 1),
        (FULL, EMPTY, (0, 8, 0, 0), 0, 0, 0),
        (EMPTY, FULL, (0, 0, 8, 0), 0, 0, 0),
    ],
)
def test_known_answers(predicted, truth, counts, iou, background, f1):
    found = Counts.of(predicted, truth)
    assert found == counts
    assert found.iou == pytest.approx(iou)
    assert found.background_iou == pytest.approx(background)
    assert found.miou == pytest.approx((iou + background) / 2)
    assert found.f1 == pytest.approx(f1)


def test_counting_can_be_restricted():
    where = mask("##..", "##..")
    assert Counts.of(mask("#.##", "...."), mask("####", "...."), where) == (1, 0, 1, 2)


def test_masks_of_two_shapes_do_not_compare():
    with pytest.raises(ValueError, match="do not compare"):
        Counts.of(np.ones((2, 2), bool), np.ones((2, 3), bool))


def halves(edge, side=64):
    half = np.zeros((side, side), bool)
    half[:, edge:] = True
    return half


def test_boundary_f1_counts_the_band_alone():
    truth = halves(32)  # the band is columns 25..38
    far_off = truth.copy()
    far_off[:, :20] = True
    assert boundary_f1(far_off, truth) == 1
    # In the band 7 columns are the person, of which the prediction misses 2.
    assert boundary_f1(halves(34), truth) == pytest.approx(2 * 5 / (5 + 7))
    assert boundary_f1(halves(64), truth) == 0


def test_boundary_f1_without_an_outline():
    assert boundary_f1(halves(10), np.zeros((64, 64), bool)) == 1


def test_boundary_iou_of_squares():
    truth = np.zeros((100, 100), bool)  # diagonal 141: the rim is 3 wide
    truth[20:60, 20:60] = True
    assert boundary_iou(truth, truth) == 1
    smaller = np.zeros_like(truth)
    smaller[21:59, 21:59] = True
    rim = 40**2 - 34**2
    smaller_rim = 38**2 - 32**2
    both = 38**2 - 34**2
    assert boundary_iou(smaller, truth) == pytest.approx(both / (rim + smaller_rim - both))


def test_boundary_iou_takes_the_edge_of_the_image_for_an_outline():
    full = np.ones((100, 100), bool)
    inner = full.copy()
    inner[50, 50] = False
    assert boundary_iou(full, full) == 1
    assert boundary_iou(inner, full) < 1


def test_boundary_iou_of_empty_masks():
    empty = np.zeros((50, 50), bool)
    assert boundary_iou(empty, empty) == 1
    assert boundary_iou(np.ones((50, 50), bool), empty) == 0


def test_a_bootstrap_interval_of_a_constant_difference_has_no_width():
    reference = np.linspace(0.2, 0.9, 50)
    found = paired_bootstrap((reference + 0.01).tolist(), reference.tolist())
    assert found == pytest.approx((0.01, 0.01, 0.01))


def test_a_bootstrap_interval_is_about_two_standard_errors_either_way():
    rng = np.random.default_rng(1)
    scores, reference = rng.normal(0.9, 0.05, 200), rng.normal(0.9, 0.05, 200)
    found = paired_bootstrap(scores.tolist(), reference.tolist())
    error = np.std(scores - reference) / np.sqrt(200)
    assert found.difference == pytest.approx((scores - reference).mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert found == paired_bootstrap(scores.tolist(), reference.tolist())


@pytest.mark.parametrize(("scores", "reference"), [([], []), ([0.5], [0.5, 0.5])])
def test_scores_that_do_not_pair(scores, reference):
    with pytest.raises(ValueError, match="do not pair"):
        paired_bootstrap(scores, reference)


def eroded_rim(mask):
    """As the authors of Boundary IoU compute it: by eroding again and again."""
    width = max(1, round(0.02 * math.hypot(*mask.shape)))
    padded = np.pad(mask.astype(np.uint8), 1)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return mask & ~inner.astype(bool)


@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 3), (40, 31), (224, 224), (600, 801), (1, 3000), (3000, 2), (5100, 4200)]
)
def test_the_rim_is_that_of_repeated_erosion(shape):
    rng = np.random.default_rng(sum(shape))
    small = rng.random((max(1, shape[0] // 60 + 1), max(1, shape[1] // 60 + 1)))
    blobs = cv2.resize(small.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC) > 0.4
    for mask in (blobs, ~blobs, rng.random(shape) > 0.001, np.ones(shape, bool), blobs[::-1]):
        np.testing.assert_array_equal(rim(mask), eroded_rim(mask))
    assert not rim(np.zeros(shape, bool)).any()
