"""Data sets, losses and scores of more than two classes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sinet.data import class_evaluation_samples, read_sample, training_samples
from sinet.data.augment import Augmentation, augment
from sinet.data.reading import Picture, shrink
from sinet.data.scenes import CAMVID, class_samples, read_classes
from sinet.errors import DataError
from sinet.losses import LossWeights, class_band, lovasz_loss, soft_jaccard_loss
from sinet.losses import targets_of as targets
from sinet.losses.total import total_loss
from sinet.metrics.confusion import Confusion
from sinet.pictures.mask_options import MaskOptions
from tests.sinet.many_classes import NAMES, SIZE, make_classes, save, scene


@pytest.mark.parametrize("kind", ["palette", "grey", "colour"])
def test_a_folder_with_classes_is_read_however_it_is_stored(tmp_path: Path, kind: str) -> None:
    samples = training_samples(make_classes(tmp_path / kind, 3, kind))
    assert [sample.name for sample in samples] == ["s00"]
    image, labels = scene(0)
    found = read_sample(samples[0])
    assert np.array_equal(found.image, image)
    assert np.array_equal(found.mask, labels)
    assert class_evaluation_samples(tmp_path / kind)[0] == "val"


def test_one_class_may_be_the_person_as_before(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", 3)
    number = NAMES.index("person")
    (sample,) = training_samples(data, MaskOptions(person_class=str(number)))
    assert sample.classes is None
    assert np.array_equal(read_sample(sample).mask, scene(0)[1] == number)


def test_what_is_no_class_is_told(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", 3, "grey")
    image, labels = scene(0)
    labels[0, -1] = 42
    save(image, labels, (data / "images/s00.png", data / "masks/s00.png"), "grey")
    with pytest.raises(DataError, match=r"s00\.png: the mask has level 42, .* of the 19 classes"):
        read_sample(class_samples(data)[0])
    coloured = make_classes(tmp_path / "coloured", 3, "colour")
    lines = [f"{name} #{number:06x}" for number, name in enumerate(NAMES)]
    (coloured / "classes.txt").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"the mask has colour .*#004000, .*none of the 19 classes"):
        read_sample(class_samples(coloured)[0])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("road\n", "has 1 classes; 2 to 254"),
        ("road\ncar\nroad\n", "the name road comes twice"),
        ("road #804080\ncar\n", "only 1 of 2 classes have a colour"),
        ("road #804080\ncar #804080\n", "the colour #804080 comes twice"),
        (b"\xff\xfe", "cannot be read as text"),
    ],
)
def test_a_list_of_classes_that_is_none(tmp_path: Path, text: str | bytes, problem: str) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=problem) as caught:
        read_classes(path)
    assert "\n" not in str(caught.value)


def cityscapes(root: Path, ending: str, ids: np.ndarray) -> None:
    image, labels = scene(0)
    mask = np.append(ids, np.full(256 - len(ids), 255)).astype(np.uint8)[labels]
    for split, city in (("train", "ulm"), ("val", "bonn")):
        name = f"{city}_000000_000019"
        files = (
            root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png",
            root / f"gtFine/{split}/{city}/{name}_gtFine_{ending}.png",
        )
        save(image, mask, files, "grey")


def test_cityscapes_by_either_numbers(tmp_path: Path) -> None:
    ids = np.array([7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33])
    cityscapes(tmp_path / "ids", "labelIds", ids)
    cityscapes(tmp_path / "train", "labelTrainIds", np.arange(19))
    for root in (tmp_path / "ids", tmp_path / "train"):
        (sample,) = training_samples(root)
        assert sample.name == "ulm_000000_000019"
        assert np.array_equal(read_sample(sample).mask, scene(0)[1])
        split, (held_out,) = class_evaluation_samples(root)
        assert (split, held_out.name) == ("val", "bonn_000000_000019")


def test_cityscapes_that_is_not_all_there(tmp_path: Path) -> None:
    cityscapes(tmp_path, "labelTrainIds", np.arange(19))
    (gone,) = (tmp_path / "gtFine").rglob("ulm*.png")
    gone.unlink()
    problem = r"ulm_.*_gtFine_labelIds\.png: no such mask \(Cityscapes; …_labelTrainIds\.png serves"
    with pytest.raises(DataError, match=problem):
        training_samples(tmp_path)
    (tmp_path / "gtFine").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"Cityscapes without gtFine: unpack gtFine_trainvaltest"):
        training_samples(tmp_path)


@pytest.mark.parametrize("ending", ["labelIds", "labelTrainIds"])
def test_cityscapes_without_an_image(tmp_path: Path, ending: str) -> None:
    for city in ("ulm", "aachen", "bremen"):
        for folder, end in (("leftImg8bit", "leftImg8bit"), ("gtFine", f"gtFine_{ending}")):
            path = tmp_path / folder / "train" / city / f"{city}_0_{end}.png"
            path.parent.mkdir(parents=True)
            path.touch()
    for gone in ("ulm", "bremen"):
        (tmp_path / f"leftImg8bit/train/{gone}/{gone}_0_leftImg8bit.png").unlink()
    problem = (
        r"bremen_0_leftImg8bit\.png: no such image, nor 1 other \(Cityscapes; its mask is there"
    )
    with pytest.raises(DataError, match=problem):
        training_samples(tmp_path)
    for path in [*(tmp_path / "gtFine").rglob("*.png"), *(tmp_path / "leftImg8bit").rglob("*.png")]:
        path.unlink()
    with pytest.raises(DataError, match=r"leftImg8bit.train: no CITY/…_leftImg8bit\.png in it"):
        training_samples(tmp_path)


def test_camvid(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8)[None].repeat(8, axis=0)
    for split in ("train", "val"):
        files = (tmp_path / split / "0.png", tmp_path / f"{split}annot" / "0.png")
        save(np.zeros((8, 12, 3), np.uint8), labels, files, "grey")
    (sample,) = training_samples(tmp_path)
    mask = read_sample(sample).mask
    assert mask[0].tolist() == [*range(len(CAMVID.names)), 255]
    (tmp_path / "trainannot/0.png").rename(tmp_path / "0.png")
    with pytest.raises(DataError, match=r"trainannot.0\.png: no such mask.*CamVid"):
        training_samples(tmp_path)
    (tmp_path / "0.png").rename(tmp_path / "trainannot/1.png")
    (tmp_path / "train/0.png").unlink()
    with pytest.raises(DataError, match=r"train.1\.png: no such image \(CamVid; its mask is there"):
        training_samples(tmp_path)
    with pytest.raises(DataError, match=r"no classes\.txt in it, and neither Cityscapes"):
        class_samples(tmp_path / "train")


def test_classes_are_never_mixed() -> None:
    picture = Picture(*scene(3))
    strong = Augmentation(rotation_degrees=30)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = augment(picture, (32, 32), strong, rng, has_classes=True)
        assert found.mask.shape == (32, 32)
        assert set(np.unique(found.mask)) <= {*range(19), 255}
    plain = Augmentation(
        rotation_degrees=0, scale=(1, 1), translation=0, flip_probability=0, probability=0
    )
    same = augment(picture, SIZE, plain, np.random.default_rng(0), has_classes=True)
    assert np.array_equal(same.mask, picture.mask)
    small = shrink(picture, 38, has_classes=True)
    assert set(np.unique(small.mask)) <= {*range(19), 255}


def perfect(labels: torch.Tensor, classes: int, size: float = 30) -> torch.Tensor:
    known = labels.clamp(max=classes - 1)
    return size * torch.nn.functional.one_hot(known, classes).permute(0, 3, 1, 2).float()


def test_every_loss_is_small_for_the_truth_and_larger_for_others() -> None:
    labels = torch.from_numpy(scene(1)[1])[None].long()
    weights = LossWeights(cross_entropy=1, boundary=1, jaccard=1, lovasz=1)
    goal = targets(labels, (1,), classes=19)
    right = perfect(labels, 19)
    wrong = right.roll(1, dims=1)
    assert total_loss([right], goal, weights).item() < 1e-3
    for one in ("cross_entropy", "boundary", "jaccard", "lovasz"):
        alone = LossWeights(**{"cross_entropy": 0, "boundary": 0, one: 1})
        assert total_loss([wrong], goal, alone).item() > 0.5


def test_ignored_pixels_have_no_slope() -> None:
    labels = torch.from_numpy(scene(1)[1])[None].long()
    logits = torch.randn(1, 19, *SIZE, requires_grad=True)
    weights = LossWeights(cross_entropy=1, boundary=1, jaccard=1, lovasz=1)
    total_loss([logits], targets(labels, (1,), classes=19), weights).backward()
    assert logits.grad is not None
    assert not logits.grad[:, :, :6, :6].any()
    assert logits.grad[:, :, 20:].any()


def test_two_classes_among_many_are_those_of_two() -> None:
    """With a third class that nobody has, the losses of classes are means that include it."""
    random = torch.Generator().manual_seed(0)
    labels = (torch.rand(2, 8, 8, generator=random) > 0.5).long()
    sure = perfect(labels, 3)
    assert soft_jaccard_loss(sure, labels).item() == pytest.approx(0, abs=1e-5)
    assert lovasz_loss(sure, labels).item() == pytest.approx(0, abs=1e-5)


def test_the_band_is_where_another_class_is_near() -> None:
    labels = torch.zeros(1, 5, 12, dtype=torch.long)
    labels[..., 4:8], labels[..., 8:] = 7, 255
    assert class_band(labels, 3)[0, 0].tolist() == [False] * 3 + [True] * 2 + [False] * 7


def test_iou_by_class_is_that_of_all_pixels_together() -> None:
    found = Confusion(4)
    found.add(np.array([[0, 1, 1, 0]], np.uint8), np.array([[0, 1, 0, 255]], np.uint8))
    found.add(np.array([[2, 2]], np.uint8), np.array([[1, 2]], np.uint8))
    assert found.ious[:3] == pytest.approx([1 / 2, 1 / 3, 1 / 2])
    assert math.isnan(found.ious[3])
    assert found.miou == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 3)
    assert found.accuracy == pytest.approx(3 / 5)


def test_a_mask_of_another_size(tmp_path: Path) -> None:
    data = make_classes(tmp_path / "data", 3)
    Image.new("L", (10, 10)).save(data / "masks/s00.png")
    with pytest.raises(DataError, match="the mask is 10 × 10, its image 76 × 48"):
        read_sample(training_samples(data)[0])
