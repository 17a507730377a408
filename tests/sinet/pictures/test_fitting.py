"""A mask drawn on the photo as the sensor stored it is turned with the photo, and that is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sinet.errors import PictureError
from sinet.pictures.decode import decode
from sinet.pictures.fitting import refuse_inverted, upright
from sinet.pictures.levels import Understood
from sinet.pictures.masks import read_mask
from sinet.pictures.orientation import IN_WORDS, turned
from tests.sinet.pictures.test_masks import HEIGHT, PERSON, PHOTO, WIDTH

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

# What undoes a turn.
BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
FACE = (34.0, 26.0, 56.0, 54.0)


def drawn(mask: Mask) -> Pixels:
    """A picture whose edges are the mask's outline, with some noise."""
    return np.clip(np.where(mask[..., None], 180, 60) + PHOTO[: len(mask)] // 8, 0, 255).astype(
        np.uint8
    )


def photo_of(mask: Mask) -> Callable[[], Pixels]:
    return lambda: drawn(mask)


def never() -> Pixels:
    raise AssertionError("there was no choice")


def stored(mask: Mask, orientation: int) -> Understood:
    """The mask as the sensor saw it: the tag turns it upright."""
    return Understood(np.ascontiguousarray(turned(mask, BACK[orientation])), "black and white")


def lopsided(mask: Mask) -> Mask:
    """A mask that no turn leaves as it is."""
    changed = mask.copy()
    changed[70:100, :30] = True
    return changed


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("square", [False, True])
def test_all_orientations_stored_and_turned(orientation: int, *, square: bool) -> None:
    mask = lopsided(PERSON)[: WIDTH if square else HEIGHT]
    for given, how in (
        (stored(mask, orientation), f"black and white, {IN_WORDS[orientation]} as EXIF says"),
        (Understood(mask, "black and white"), "black and white"),
    ):
        found = upright(given, (orientation,), mask.shape, photo_of(mask))
        np.testing.assert_array_equal(found.person, mask)
        assert found.how == how


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_real_portraits_of_every_orientation(shared: Path, orientation: int) -> None:
    folder = shared / "data/eg1800"
    for name in (folder / "val.txt").read_text().split()[:20]:
        name = Path(name).stem
        mask = read_mask((folder / f"masks/{name}.png").read_bytes()).person
        rgb = decode((folder / f"images/{name}.jpg").read_bytes()).rgb
        found = upright(stored(mask, orientation), (orientation,), mask.shape, lambda rgb=rgb: rgb)
        np.testing.assert_array_equal(found.person, mask)


def test_without_orientation_nothing_is_looked_at() -> None:
    read = Understood(PERSON, "black and white")
    assert upright(read, (1, 1), PERSON.shape, never) is read


def test_a_mask_with_its_own_orientation_is_turned_by_it() -> None:
    mask = lopsided(PERSON)
    found = upright(stored(mask, 6), (1, 6), mask.shape, photo_of(mask))
    np.testing.assert_array_equal(found.person, mask)


def test_the_face_decides_where_the_picture_does_not() -> None:
    """A picture without edges, a head at the top: turned upside down the face is missed."""
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    mask = PERSON & (np.mgrid[:HEIGHT, :WIDTH][0] < 60)
    found = upright(stored(mask, 3), (3,), mask.shape, lambda: flat, [FACE])
    np.testing.assert_array_equal(found.person, mask)


def test_where_neither_fits_exif_is_named() -> None:
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    with pytest.raises(PictureError, match=r"upside down by EXIF \(orientation 3\)") as caught:
        upright(stored(lopsided(PERSON), 3), (3,), PERSON.shape, lambda: flat)
    assert caught.value.reason == "mask_orientation"
    with pytest.raises(PictureError, match="EXIF"):  # the size fits turned alone, but not the edges
        upright(stored(lopsided(PERSON), 6), (6,), PERSON.shape, lambda: flat)


def test_a_mask_that_looks_the_same_both_ways_needs_no_decision() -> None:
    empty = np.zeros((HEIGHT, WIDTH), np.bool_)
    assert not upright(Understood(empty, ""), (3,), empty.shape, photo_of(PERSON)).person.any()


@pytest.mark.parametrize(
    ("shape", "told"), [((WIDTH, HEIGHT), "EXIF does not say how"), ((50, 60), "the same size")]
)
def test_other_sizes_are_refused_with_both(shape: tuple[int, int], told: str) -> None:
    read = Understood(np.zeros(shape, np.bool_), "")
    with pytest.raises(PictureError, match=rf"{shape[1]}×{shape[0]} .*90×120.*{told}") as caught:
        upright(read, (1,), PERSON.shape, never)
    assert caught.value.reason == "mask_size_mismatch"


def test_inverted_masks_are_named_as_such() -> None:
    for faces in ([], [FACE]):
        refuse_inverted(PERSON, faces)
        with pytest.raises(PictureError, match=r"looks inverted.*: --mask-invert") as caught:
            refuse_inverted(~PERSON, faces)
        assert caught.value.reason == "mask_inverted"
    with pytest.raises(PictureError, match="leave out --mask-invert"):
        refuse_inverted(~PERSON, was_inverted=True)


def test_no_hand_mask_is_taken_for_inverted_and_nearly_all_inverted_ones_are(shared: Path) -> None:
    files = sorted((shared / "data/eg1800/masks").iterdir())[::10]
    found = 0
    for file in files:
        mask = read_mask(file.read_bytes()).person
        refuse_inverted(mask)
        try:
            refuse_inverted(~mask)
        except PictureError:
            found += 1
    assert found > 0.9 * len(files)


def test_empty_and_full_masks_are_not_inverted() -> None:
    refuse_inverted(np.zeros((9, 9), np.bool_))
    refuse_inverted(np.ones((9, 9), np.bool_))
