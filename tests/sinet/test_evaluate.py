import cv2
import numpy as np
import pytest
import torch
from torch import nn

from sinet.checkpoint import Model
from sinet.data import Sample, read_sample
from sinet.errors import DataError, NetworkOutputError
from sinet.evaluate import HeldOutSet, evaluate, evaluate_all, metric_truth
from sinet.metrics import Counts, boundary_f1, boundary_iou
from sinet.networks import SegmentationNetwork
from sinet.normalisation import InputSpec
from sinet.predict import predict


class BrightIsPerson(SegmentationNetwork):
    """The least network that segments: a pixel above mid-grey is the person."""

    name = "bright"

    def __init__(self) -> None:
        super().__init__(classes=2)
        self.sign = nn.Parameter(torch.ones(1))

    def forward(self, images):
        person = images.mean(dim=1, keepdim=True) * self.sign
        return torch.cat((-person, person), dim=1)


def spec(side):
    return InputSpec(mean=(128, 128, 128), std=(1, 1, 1), height=side, width=side)


@pytest.fixture
def halves(tmp_path):
    """A picture, 448 × 448, bright in its right half, with three masks of it."""
    image = np.zeros((448, 448, 3), np.uint8)
    image[:, 224:] = 255
    cv2.imwrite(str(tmp_path / "image.png"), image)
    samples = []
    for name, left in (("exact", 224), ("wide", 112), ("empty", 448)):
        mask = np.zeros((448, 448), np.uint8)
        mask[:, left:] = 255
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), mask)
        samples.append(Sample(name, tmp_path / "image.png", path))
    return samples


@pytest.mark.parametrize("side", [224, 448, 96])
def test_scores_with_known_answers(halves, side):
    """Whatever the network's input is, the first score is taken at 224."""
    evaluation = evaluate(Model(BrightIsPerson(), spec(side)), halves)
    exact, wide, empty = (evaluation.images[name] for name in ("exact", "wide", "empty"))
    tolerance = 0.02 if side == 96 else 1e-6
    assert exact.iou == pytest.approx(1, abs=tolerance)
    assert exact.native_iou == pytest.approx(1, abs=tolerance)
    assert exact.miou == pytest.approx(1, abs=tolerance)
    assert wide.iou == pytest.approx(2 / 3, abs=tolerance)
    assert wide.miou == pytest.approx((2 / 3 + 1 / 2) / 2, abs=tolerance)
    assert wide.boundary_f1 == pytest.approx(0, abs=tolerance)
    assert empty.iou == 0
    assert empty.boundary_f1 == 1  # an empty mask has no outline to be right about
    # Where nobody is, an IoU is no measure of masks.
    assert evaluation.mean.iou == pytest.approx((exact.iou + wide.iou) / 2)
    assert evaluation.mean.boundary_f1 == pytest.approx((exact.boundary_f1 + wide.boundary_f1) / 2)
    assert (evaluation.negatives, evaluation.false_person_rate) == ({"empty"}, 1.0)


def test_the_score_of_an_epoch_is_that_of_the_evaluation(halves):
    held_out = HeldOutSet(halves, spec(224))
    network = BrightIsPerson()
    assert held_out.score(network) == evaluate(Model(network, spec(224)), halves).mean.iou
    (mask,) = held_out.masks(network, 1)
    assert mask[:, 112:].all()
    assert not mask[:, :112].any()
    with torch.no_grad():
        network.sign.neg_()
    assert held_out.score(network) == pytest.approx((0 + 1 / 4) / 2)


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(DataError, match="no sample to evaluate"):
        evaluate(Model(BrightIsPerson(), spec(224)), [])


@pytest.fixture
def shapes(tmp_path):
    """Eleven noisy pictures with masks, of many sizes; one is larger than a batch may be."""
    rng = np.random.default_rng(1)
    samples = []
    for number in range(11):
        height, width = (2200, 4100) if number == 5 else rng.integers(40, 400, 2)
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask = np.zeros((height, width), np.uint8)
        mask[height // 3 :, width // 4 : width // 2] = 255
        image[mask > 0] |= 128
        paths = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        for path, pixels in zip(paths, (cv2.blur(image, (9, 9)), mask), strict=True):
            cv2.imwrite(str(path), pixels)
        samples.append(Sample(str(number), *paths))
    return samples


def one_by_one(model, sample):
    """The scores of a sample by their definitions, on its own."""
    image, mask, _ = read_sample(sample)
    truth = mask.astype(bool)
    person = model.person_at_input(image)
    reduced = cv2.resize(person, (224, 224)) > 0.5
    native = predict(model, image) > 0.5
    counts = Counts.of(reduced, metric_truth(mask))
    return (
        Counts.of(native, truth).iou,
        counts.iou,
        counts.miou,
        boundary_f1(reduced, metric_truth(mask)),
        boundary_iou(native, truth),
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_and_threads_change_no_score(shapes, threads):
    model, other = Model(BrightIsPerson(), spec(224)), Model(BrightIsPerson(), spec(96))
    both = evaluate_all([model, other], iter(shapes), threads=threads)
    for found, each in zip(both, (model, other), strict=True):
        assert list(found.images) == [sample.name for sample in shapes]
        for sample in shapes:
            scores = found.images[sample.name]
            measured = [getattr(scores, name) for name in scores.__slots__]
            assert measured == pytest.approx(one_by_one(each, sample), abs=1e-4)
    assert evaluate(model, shapes, threads=threads) == both[0]


def test_the_first_broken_sample_is_named_whatever_the_threads(shapes):
    shapes[6].image.write_bytes(b"no picture")
    shapes[9].image.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"6\.png"):
        evaluate(Model(BrightIsPerson(), spec(224)), shapes, threads=3)


class DarkIsNothing(BrightIsPerson):
    """Divides by what a black picture has not."""

    def forward(self, images):
        person = super().forward(images)
        return person / (images.amax(dim=(1, 2, 3), keepdim=True) > 0)


def test_an_answer_of_no_use_names_its_picture(shapes):
    height, width = cv2.imread(str(shapes[4].image)).shape[:2]
    cv2.imwrite(str(shapes[4].image), np.zeros((height, width, 3), np.uint8))
    with pytest.raises(NetworkOutputError, match=r"^4: "):
        evaluate(Model(DarkIsNothing(), spec(224)), shapes, threads=2)
