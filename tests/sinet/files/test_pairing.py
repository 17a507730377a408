"""Which mask belongs to which photo, by their names."""

import unicodedata

import pytest

from sinet.errors import DataError
from sinet.files.pairing import pair


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("a.jpg", "a.png"),
        ("a.jpg", "a.jpg.png"),
        ("a.JPG", "A_Mask.PNG"),
        ("a.jpg", "mask_a.png"),
        ("a.jpeg", "a-matte.tif"),
        ("a.jpg", "a_alpha.webp"),
        ("a.jpg", "a_segmentation.png"),
        ("a.jpg", "a.jpg_seg.png"),
        ("a.jpg", "a_label.png"),
        ("a", "a.png"),
        ("12.30.05.jpg", "12.30.05.png"),
        ("images/x/a.jpg", "masks/x/a.png"),
        ("x/images/a.jpg", "x/masks/a.png"),
        ("deep/x/a.jpg", "x/a.png"),
        ("a.jpg", "deep/a.png"),
        (unicodedata.normalize("NFD", "Zoë.jpg"), unicodedata.normalize("NFC", "Zoë.png")),
    ],
)
def test_what_people_call_a_mask(photo: str, mask: str) -> None:
    other = {"unlike.jpg": "unlike.png"}
    assert pair([photo, *other], [mask, *other.values()]).found == {photo: mask, **other}


def test_the_same_path_goes_before_the_same_name() -> None:
    pairs = pair(["first/1.jpg", "second/1.jpg", "1.jpg"], ["first/1.png", "1.png"])
    assert pairs.found == {"first/1.jpg": "first/1.png", "1.jpg": "1.png"}
    assert pairs.missing == {"second/1.jpg": ()}


def test_exact_names_go_before_case() -> None:
    names = ["IMG_1", "img_1", "Img_1"]
    pairs = pair([f"{name}.jpg" for name in names], [f"{name}.png" for name in names])
    assert pairs.found == {f"{name}.jpg": f"{name}.png" for name in names}


@pytest.mark.parametrize(
    ("photos", "masks"),
    [
        (["first/1.jpg", "second/1.jpg"], ["1.png"]),
        (["1.jpg", "1.webp"], ["1.png"]),
        (["IMG_1.jpg", "img_1.jpg"], ["Img_1.png"]),
        (["1.jpg"], ["1.png", "1.tif"]),
        (["1.jpg"], ["a/1.png", "b/1.png"]),
        (["1.jpg"], ["1.png", "1_mask.png"]),
    ],
)
def test_what_could_be_either_is_neither(photos: list[str], masks: list[str]) -> None:
    pairs = pair(photos, masks)
    assert pairs.found == {}
    assert set(pairs.ambiguous) == set(photos)
    for clash in pairs.ambiguous.values():
        assert set(clash.photos) == set(photos)
        assert set(clash.masks) == set(masks)
        assert all(name in str(clash) for name in (*photos, *masks))


def test_masks_of_photos_that_are_not_offered_are_named() -> None:
    pairs = pair(["a/1.jpg"], ["a/1.png", "b/1.png", "2.png"])
    assert pairs.found == {"a/1.jpg": "a/1.png"}
    assert pairs.unused == ("2.png", "b/1.png")


def test_near_misses_are_named() -> None:
    pairs = pair(["portrait_0012.jpg"], ["portrait_012.png", "tree.png"])
    assert pairs.missing == {"portrait_0012.jpg": ("portrait_012.png",)}


@pytest.mark.parametrize(
    ("pattern", "mask"),
    [
        ("{stem}_fg.png", "x/1_fg.png"),
        ("{name}.png", "other/1.jpg.png"),
        ("{parent}/fg/{stem}.png", "x/fg/1.png"),
    ],
)
def test_a_pattern_takes_what_it_says_and_nothing_else(pattern: str, mask: str) -> None:
    assert pair(["x/1.jpg"], [mask, "x/1.png"], pattern).found == {"x/1.jpg": mask}
    assert pair(["x/1.jpg"], ["x/1.png"], pattern).found == {}


@pytest.mark.parametrize(
    "pattern", ["mask.png", "{parent}.png", "{stem.__class__}", "{0}.png", "{stem", "{stem!r}.png"]
)
def test_a_pattern_that_says_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(DataError, match="the mask pattern"):
        pair(["1.jpg"], ["1.png"], pattern)
