"""Each signal on small masks whose answer is known."""

import numpy as np
import pytest

from pipelines.masks.agreement import agreement, disagreement, largest_patch
from pipelines.masks.boundary import band_entropy, outline_band
from pipelines.masks.confidence import expected_iou, exterior_doubt, interior_confidence
from pipelines.masks.gradient import outline_support, unsupported_share
from pipelines.masks.position import position
from pipelines.masks.shape import filled_share, fragment_share, pieces, roughness
from pipelines.masks.signals import Evidence, reduced, signals
from pipelines.pictures.geometry import Face

FACE = Face((24, 16, 40, 36), ((28, 22), (36, 22), (32, 27), (28, 31), (36, 31)), 0.99)


@pytest.fixture
def square() -> np.ndarray:
    """A 64 × 64 mask: rows 16…47, columns 16…47."""
    mask = np.zeros((64, 64), np.bool_)
    mask[16:48, 16:48] = True
    return mask


def soft(mask: np.ndarray, inside: float = 1.0, outside: float = 0.0) -> np.ndarray:
    return np.where(mask, inside, outside).astype(np.float32)


def test_band_lies_on_both_sides(square: np.ndarray) -> None:
    band = outline_band(square, 2)
    assert band.sum() == 36**2 - 28**2
    assert not outline_band(np.ones((8, 8), np.bool_), 2).any()


def test_band_entropy_sees_the_outline_alone(square: np.ndarray) -> None:
    unsure = soft(square)
    unsure[30:34, 30:34] = 0.5
    assert band_entropy(square, unsure, 2) == pytest.approx(0, abs=1e-3)
    unsure[outline_band(square, 2)] = 0.5
    assert band_entropy(square, unsure, 2) == pytest.approx(1)
    assert band_entropy(np.zeros_like(square), unsure, 2) == 0


def test_interior_does_not_see_the_outline(square: np.ndarray) -> None:
    unsure = soft(square, inside=0.9)
    unsure[outline_band(square, 3)] = 0.5
    assert interior_confidence(square, unsure, 3) == pytest.approx(0.9)
    assert interior_confidence(np.zeros_like(square), unsure, 3) == 0


def test_exterior_doubt_is_in_units_of_the_mask(square: np.ndarray) -> None:
    person = soft(square)
    person[:4, :] = 1  # 256 pixels far from the mask, whose area is 1,024
    assert exterior_doubt(square, person, 3) == pytest.approx(0.25)
    assert exterior_doubt(np.zeros_like(square), person, 3) == 0


@pytest.mark.parametrize(
    ("inside", "outside", "expected"),
    [(1, 0, 1), (0.5, 0, 0.5), (1, 1, 1024 / 4096), (0, 0, 0)],
)
def test_expected_iou(square: np.ndarray, inside: float, outside: float, expected: float) -> None:
    assert expected_iou(square, soft(square, inside, outside)) == pytest.approx(expected)
    assert expected_iou(np.zeros_like(square), soft(square)) == 0


def test_agreement_and_disagreement(square: np.ndarray) -> None:
    moved = np.roll(square, 16, axis=1)  # half of it overlaps
    assert agreement(soft(square), soft(square)) == 1
    assert agreement(soft(square), soft(moved)) == pytest.approx(1 / 3)
    assert agreement(soft(square, 0), soft(square, 0)) == 1
    assert disagreement(square, soft(moved)) == pytest.approx(2 / 3)
    assert disagreement(square, soft(square)) == 0
    assert disagreement(np.zeros_like(square), soft(square, 0)) == 0


def test_largest_patch_finds_what_a_mean_drowns(square: np.ndarray) -> None:
    other = soft(square)
    other[20:25, 20:25] = 0
    assert largest_patch(soft(square), other, 5) == pytest.approx(1)
    assert largest_patch(soft(square), soft(square), 5) == 0


def test_an_outline_on_the_edge_is_supported(square: np.ndarray) -> None:
    chance = np.random.default_rng(0)
    rgb = np.where(square[..., None], 180, 60) + chance.integers(-8, 8, (64, 64, 3))
    rgb = rgb.astype(np.uint8)
    elsewhere = np.roll(square, 8, axis=(0, 1))
    assert outline_support(square, rgb) > 0.85
    assert outline_support(elsewhere, rgb) < 0.65
    assert unsupported_share(square, rgb) < 0.05
    assert unsupported_share(elsewhere, rgb) > 0.3
    assert outline_support(np.zeros_like(square), rgb) == 0.5


def test_pieces_holes_fragments(square: np.ndarray) -> None:
    assert pieces(square) == (1, 0)
    mask = square.copy()
    mask[30:32, 30:32] = False
    mask[2:4, 2:4] = True
    assert pieces(mask) == (2, 1)
    assert pieces(np.zeros_like(square)) == (0, 0)
    person = square.copy()
    person[:4, :16] = True  # 64 pixels apart
    assert fragment_share(square, person) == pytest.approx(64 / 1024)
    assert filled_share(square, mask) == pytest.approx(4 / 1024)


def test_roughness_of_a_comb(square: np.ndarray) -> None:
    comb = square.copy()
    comb[8:16, 16:48:4] = True
    assert roughness(square) == pytest.approx(1, abs=0.15)
    assert roughness(comb) > roughness(square) + 0.5
    assert roughness(np.zeros_like(square)) == 1


def test_position_in_units_of_the_face() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[12:36, 24:40] = True  # hair and face, 4 pixels above a box 20 high
    mask[36:46, 28:36] = True  # a neck half as wide as the face
    mask[46:, 8:56] = True
    found = position(mask, FACE)
    assert found.crown == pytest.approx(4 / 20)
    assert found.neck == pytest.approx(8 / 16)
    assert found.shoulders == pytest.approx(48 / 16)
    assert found.offset == pytest.approx(0.5 / 20)
    assert found.bottom == pytest.approx(48 / 64)
    assert found.sides == found.beside == 0
    mask[20:36, 56:] = True  # somebody behind, above the chin
    area = int(mask.sum())
    assert position(mask, FACE).beside == pytest.approx(16 * 8 / area)
    assert set(vars(position(np.zeros_like(mask), FACE)).values()) == {0}


def test_signals_fall_with_what_is_known(square: np.ndarray) -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    bare = signals(Evidence(square, rgb, FACE, [], soft(square)))
    assert not [name for name in bare if name.startswith(("view_", "student_"))]
    assert all(np.isfinite(value) for value in bare.values())
    student = signals(Evidence(square, rgb, FACE, [], soft(square), student=soft(square)))
    assert bare.items() <= student.items()
    assert student["student_disagreement"] == 0


def test_reduced_keeps_what_is_relative() -> None:
    mask = np.zeros((1024, 768), np.bool_)
    mask[300:, 200:600] = True
    face = Face((300, 320, 500, 570), ((350, 400),) * 5, 0.9)
    rgb = np.zeros((1024, 768, 3), np.uint8)
    small = reduced(Evidence(mask, rgb, face, [face], soft(mask)))
    assert small.mask.shape == small.probability.shape == (256, 192)
    assert small.face.box == pytest.approx((75, 80, 125, 142.5))
    before, after = position(mask, face), position(small.mask, small.face)
    assert vars(after) == pytest.approx(vars(before), rel=0.03, abs=0.02)
