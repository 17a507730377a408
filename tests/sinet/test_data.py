import cv2
import numpy as np
import pytest
import torch

from sinet.data import (
    Augmentation,
    AugmentedSamples,
    Batches,
    Picture,
    PixelCache,
    augment,
    find_samples,
    hold_out,
    read_sample,
)
from sinet.data.augment import affine
from sinet.data.background import replace_background, without_person
from sinet.data.reading import shrink
from sinet.errors import DataError
from sinet.evaluate import metric_truth

STILL = Augmentation(
    rotation_degrees=0, scale=(1, 1), translation=0, flip_probability=0, probability=0
)


def test_a_bare_folder_is_listed_by_name(portraits):
    assert [sample.name for sample in portraits] == [f"p{number}" for number in range(8)]
    assert {sample.image.name for sample in portraits} == {f"p{n}.png" for n in range(8)}


def test_a_list_decides_what_is_in_a_split_and_its_order(portraits, tmp_path):
    folder = tmp_path / "portraits"
    (folder / "val.txt").write_text("p5\np2.png\n\nimages/p3.png\n")
    assert [sample.name for sample in find_samples(folder, "val")] == ["p5", "p2", "p3"]


def test_a_release_without_checksums_is_unfinished(portraits, tmp_path):
    folder = tmp_path / "portraits"
    (folder / "manifest.jsonl").write_text("")
    with pytest.raises(DataError, match="unfinished release"):
        find_samples(folder)
    (folder / "checksums.txt").write_text("")
    assert find_samples(folder) == portraits


def test_a_split_may_be_a_folder(tmp_path, write_portrait):
    write_portrait(tmp_path / "train", "a", 1)
    write_portrait(tmp_path / "val", "b", 1)
    assert [sample.name for sample in find_samples(tmp_path, "val")] == ["b"]


def test_what_is_wrong_with_a_data_set_is_told_in_one_line(portraits, tmp_path):
    folder = tmp_path / "portraits"
    (folder / "absent.txt").write_text("p1\np99\n")
    (folder / "empty.txt").write_text("\n")
    for split, problem in {
        "absent": "1 images are not there, first p99",
        "empty": "is empty",
        "test": "neither test.txt nor a folder",
    }.items():
        with pytest.raises(DataError, match=problem):
            find_samples(folder, split)
    (folder / "masks" / "p3.png").unlink()
    with pytest.raises(DataError, match="1 images have no mask, first p3"):
        find_samples(folder)
    with pytest.raises(DataError, match="no such folder"):
        find_samples(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no folders `images` and `masks`"):
        find_samples(tmp_path)


def test_two_images_of_one_name_are_not_guessed_between(portraits, tmp_path):
    image = tmp_path / "portraits" / "images" / "p1.png"
    image.with_suffix(".jpg").write_bytes(image.read_bytes())
    with pytest.raises(DataError, match="the same name"):
        find_samples(tmp_path / "portraits")


def test_a_mask_of_another_size_is_told_with_both_sizes(portraits):
    cv2.imwrite(str(portraits[0].mask), np.zeros((10, 20), np.uint8))
    with pytest.raises(DataError, match=r"p0\.png: the mask is 20 × 10, its image 48 × 60"):
        read_sample(portraits[0])


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_a_broken_image_is_told_by_its_path(portraits, content):
    portraits[0].image.write_bytes(content)
    with pytest.raises(DataError, match=r"p0\.png: no image, or damaged"):
        read_sample(portraits[0])


def test_images_are_rgb_and_masks_0_and_1(portraits):
    cv2.imwrite(str(portraits[0].image), np.full((60, 48, 3), (255, 0, 0), np.uint8))  # BGR
    picture = read_sample(portraits[0])
    assert picture.image[0, 0].tolist() == [0, 0, 255]
    assert set(np.unique(picture.mask)) == {0, 1}


def test_holding_out_depends_on_the_name_alone(portraits):
    kept, held = hold_out(portraits, 0.5)
    assert kept
    assert held
    assert sorted([*kept, *held], key=lambda sample: sample.name) == portraits
    assert hold_out(portraits[::-1], 0.5)[1] == held[::-1]
    assert hold_out(portraits[:3], 0.5)[1] == [s for s in held if s in portraits[:3]]
    assert hold_out(portraits, 0)[1] == []
    assert hold_out(portraits, 1)[0] == []


def test_shrinking_keeps_proportions_and_never_enlarges(portraits):
    picture = read_sample(portraits[0])
    assert shrink(picture, 30).image.shape == (30, 24, 3)
    assert shrink(picture, 30).mask.shape == (30, 24)
    assert shrink(picture, 60) is picture


def test_without_any_change_augmentation_is_a_plain_resize(portraits):
    picture = read_sample(portraits[0])
    result = augment(picture, (120, 96), STILL, np.random.default_rng(0))
    expected = cv2.resize(picture.image, (96, 120), interpolation=cv2.INTER_LINEAR)
    inside = np.s_[2:-2, 2:-2]  # outside the image a warp sees the padding, a resize does not
    error = np.abs(result.image[inside].astype(int) - expected[inside])
    assert error.max() <= 2  # warps know 32 positions between two pixels


@pytest.mark.parametrize(
    ("how", "source", "target"),
    [
        ({}, (0, 0), (0.5, 0.5)),  # pixel centres, twice as large
        ({"flip": True}, (0, 0), (19 - 0.5, 0.5)),
        ({"shift": (0.5, -0.25)}, (0, 0), (10.5, -9.5)),
        ({"scale": 0.5}, (9.5, 19.5), (14.5, 29.5)),
        ({"degrees": 90}, (0, 9.5), (9.5 + 0, 19.5 - 9)),
    ],
)
def test_where_a_pixel_goes(how, source, target):
    """Of a picture 10 wide and 20 high to one 20 wide and 40 high."""
    x, y = affine((20, 10), (40, 20), **how) @ (*source, 1)
    assert (x, y) == pytest.approx(target)


def test_image_and_masks_stay_aligned():
    """Where the image shows the person's white, and nowhere else, the mask says so."""
    mask = np.zeros((300, 240), np.uint8)
    cv2.ellipse(mask, (120, 170), (70, 100), 20, 0, 300, 1, -1)
    picture = Picture(
        np.repeat(mask[..., None] * np.uint8(255), 3, axis=2), mask, mask * np.uint8(255)
    )
    how = Augmentation(probability=0)
    for seed in range(30):
        result = augment(picture, (96, 96), how, np.random.default_rng(seed))
        white = result.image[..., 0] > 200
        black = result.image[..., 0] < 50
        assert white.any()
        assert (result.mask[white] == 1).all()
        assert (result.mask[black] == 0).all()
        # The padding, 128, is no person.
        assert (result.mask == 1).mean() < white.mean() + 0.06
        assert np.array_equal(result.soft > 127, result.mask == 1)


@pytest.mark.parametrize("shape", [(300, 225), (601, 455), (1333, 1001)])
@pytest.mark.parametrize("side", [160, 224])
def test_masks_are_resized_with_centres_aligned(shape, side):
    """A disc stays where it is, as parts of the sides: a metric that moves it is told from that."""
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    cv2.circle(mask, (width // 3, height // 2), width // 5, 1, -1)
    image = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
    picture = shrink(Picture(image, mask, mask * np.uint8(255)), 400)
    found = augment(picture, (side, side), STILL, np.random.default_rng(0))
    for plane in (found.mask, found.soft, found.image[..., 0]):
        off = np.subtract(middle(plane), middle(mask)) * side  # pixels of the result
        assert np.abs(off).max() < 0.1
    shifted = np.subtract(middle(metric_truth(mask)), middle(mask)) * 224
    assert shifted.min() > 0.1


def middle(plane):
    """Centre of mass (y, x) in parts of the sides."""
    weights = plane.astype(float)
    down, across = ((np.arange(size) + 0.5) / size for size in plane.shape)
    return weights.sum(1) @ down / weights.sum(), weights.sum(0) @ across / weights.sum()


def test_colours_blur_and_noise_change_pixels_but_no_mask(portraits):
    picture = read_sample(portraits[0])
    still = augment(picture, (64, 64), STILL, np.random.default_rng(3))
    lively = STILL.model_copy(update={"probability": 1.0, "channel_gain": 0.2})
    changed = augment(picture, (64, 64), lively, np.random.default_rng(3))
    assert np.array_equal(changed.mask, still.mask)
    assert np.abs(changed.image.astype(int) - still.image).mean() > 3


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        ({"brightness": (0.5, 0.5)}, [100, 50, 25]),
        ({"contrast": (0.0, 0.0)}, [124, 124, 124]),  # 0.299 · 200 + 0.587 · 100 + 0.114 · 50
        ({"colour": (0.0, 0.0)}, [124, 124, 124]),
        ({"sharpness": (0.0, 0.0)}, [200, 100, 50]),
    ],
)
def test_factors_of_colour(factor, expected):
    same = {"colour": (1, 1), "brightness": (1, 1), "contrast": (1, 1), "sharpness": (1, 1)}
    how = STILL.model_copy(
        update={**same, **factor, "probability": 1.0, "blur_kernels": (), "noise_sigma": 0.0}
    )
    image = np.full((40, 40, 3), (200, 100, 50), np.uint8)
    result = augment(Picture(image, image[..., 0] * 0), (40, 40), how, np.random.default_rng(0))
    assert np.abs(result.image[20, 20].astype(int) - expected).max() <= 1


def test_a_removed_person_leaves_no_trace():
    mask = np.zeros((80, 60), np.uint8)
    mask[30:70, 20:40] = 1
    image = np.full((80, 60, 3), 40, np.uint8)
    image[mask > 0] = 250
    assert np.abs(without_person(Picture(image, mask)).astype(int) - 40).max() <= 2


def test_a_picture_that_is_all_person_can_be_a_background():
    full = Picture(np.full((40, 40, 3), 250, np.uint8), np.ones((40, 40), np.uint8))
    assert without_person(full).shape == (40, 40, 3)


def test_a_person_before_another_background():
    mask = np.zeros((80, 60), np.uint8)
    mask[30:70, 20:40] = 1
    picture = Picture(np.full((80, 60, 3), 200, np.uint8), mask, np.full((80, 60), 90, np.uint8))
    result = replace_background(picture, np.full((33, 21, 3), 10, np.uint8))
    inner, outer = cv2.erode(mask, np.ones((7, 7))), cv2.dilate(mask, np.ones((17, 17)))
    assert (result.image[inner > 0] == 200).all()
    assert (result.image[cv2.dilate(mask, np.ones((5, 5))) == 0] == 10).all()
    assert np.array_equal(result.mask, mask)
    assert (result.soft[outer == 0] == 0).all()
    assert (result.soft[mask > 0] == 90).all()


def batches_of(samples, workers, **changes):
    how = Augmentation(background_probability=0.5)
    cache = PixelCache(samples, 60)
    return Batches(AugmentedSamples(cache, how, seed=1), 3, seed=1, workers=workers, **changes)


def test_neither_workers_nor_history_change_a_batch(portraits):
    alone, helped = batches_of(portraits, 0), batches_of(portraits, 2)
    for _ in alone.epoch(0, 32):
        pass
    for left, right in zip(alone.epoch(4, 64), helped.epoch(4, 64), strict=True):
        assert left.names == right.names
        assert torch.equal(left.images, right.images)
        assert torch.equal(left.labels, right.labels)


def test_epochs_differ_in_order_and_pixels(portraits):
    batches = batches_of(portraits, 0)
    first, second = list(batches.epoch(0, 32)), list(batches.epoch(1, 32))
    assert [batch.names for batch in first] != [batch.names for batch in second]
    pixels = {
        name: image
        for batch in first
        for name, image in zip(batch.names, batch.images, strict=True)
    }
    again = [
        torch.equal(image, pixels[name])
        for batch in second
        for name, image in zip(batch.names, batch.images, strict=True)
        if name in pixels
    ]
    assert again
    assert not any(again)


def test_some_pictures_show_nobody(portraits):
    how = Augmentation(nobody_probability=0.5)
    samples = AugmentedSamples(PixelCache(portraits, 60), how, seed=1)
    batches = Batches(samples, 3, seed=1, steps=20)
    empty = [not label.any() for batch in batches.epoch(0, 64) for label in batch.labels]
    assert 15 <= sum(empty) <= 45
    plain = Batches(AugmentedSamples(PixelCache(portraits, 60), Augmentation(), 1), 3, 1, steps=20)
    assert all(label.any() for batch in plain.epoch(0, 64) for label in batch.labels)


def test_every_side_comes_as_often_and_a_step_has_always_the_same(portraits):
    def sides(number):
        batches = batches_of(portraits, 0, steps=12)
        return [batch.images.shape[-1] for batch in batches.epoch(number, 32, 64, 96)]

    found = [side for number in range(4) for side in sides(number)]
    assert all(8 <= found.count(side) <= 24 for side in (32, 64, 96))
    assert sides(2) == found[24:36] != found[:12]


def test_an_epoch_has_whole_batches_of_different_samples(portraits):
    epoch = list(batches_of(portraits, 0).epoch(0, 32))
    assert [batch.images.shape for batch in epoch] == [(3, 3, 32, 32)] * 2
    names = [name for batch in epoch for name in batch.names]
    assert len(set(names)) == 6


def test_steps_of_an_epoch_go_on_where_the_last_one_ended(portraits):
    whole, cut = batches_of(portraits, 0), batches_of(portraits, 0, steps=5)
    whole = [batch for number in range(5) for batch in whole.epoch(number, 32)]
    for number, pieces in ((0, whole[:5]), (1, whole[5:10])):
        found = list(cut.epoch(number, 32))
        assert len(found) == 5
        for left, right in zip(found, pieces, strict=True):
            assert left.names == right.names
            assert torch.equal(left.images, right.images)


def test_real_portraits_are_read(shared):
    folder = shared / "data" / "eg1800"
    train, val = find_samples(folder, "train"), find_samples(folder, "val")
    assert (len(train), len(val)) == (1182, 154)
    assert not {sample.name for sample in train} & {sample.name for sample in val}
    assert len(hold_out(train, 0.1)[1]) == 125
    picture = read_sample(val[0])
    assert picture.image.shape == (800, 600, 3)
    assert 0.1 < picture.mask.mean() < 0.9
