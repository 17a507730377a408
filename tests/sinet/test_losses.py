import math

import pytest
import torch
from torch.nn import functional

from sinet.losses import (
    IGNORED,
    LossWeights,
    boundary_band,
    distillation_loss,
    kernel_at,
    lovasz_loss,
    pixel_losses,
    soft_jaccard_loss,
    targets_of,
)
from sinet.losses import total_loss as loss_against


def total_loss(outputs, strides, labels, weights, teacher=None):
    return loss_against(outputs, targets_of(labels, strides, teacher), weights)


def halves(height=32, width=32):
    """Labels: the right half is the person."""
    labels = torch.zeros(1, height, width, dtype=torch.long)
    labels[..., width // 2 :] = 1
    return labels


def sure(labels, strength=20.0):
    """Logits that say the labels, and are sure of it."""
    person = (labels == 1).float() * 2 - 1
    return torch.stack((-person, person), dim=1) * strength / 2


@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9, 13, 15, 31])
def test_the_band_is_dilation_minus_erosion(kernel):
    torch.manual_seed(0)
    shape = (2, 40, 37)
    foreground = functional.avg_pool2d(torch.rand(shape), 5, 1, 2) > 0.55
    image = foreground.float()
    padding = kernel // 2
    dilated = functional.max_pool2d(image, kernel, 1, padding)
    eroded = -functional.max_pool2d(-image, kernel, 1, padding)
    assert torch.equal(boundary_band(foreground, kernel), dilated > eroded)


def test_the_band_of_two_halves():
    band = boundary_band(halves() == 1, 15)
    assert band[0, 0].nonzero().flatten().tolist() == list(range(9, 23))


def test_the_band_of_a_label_smaller_than_the_kernel():
    assert boundary_band(halves(4, 4) == 1, 15).all()
    assert not boundary_band(torch.ones(1, 4, 4, dtype=torch.bool), 15).any()


def test_the_kernel_shrinks_with_the_stride():
    assert [kernel_at(stride) for stride in (1, 2, 8)] == [15, 7, 3]


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_pixel_losses_are_the_cross_entropy(classes):
    torch.manual_seed(0)
    logits = torch.randn(2, classes, 5, 4)
    labels = torch.randint(0, min(2, classes + 1), (2, 5, 4))
    labels[0, 0, 0] = IGNORED
    both = torch.cat((torch.zeros_like(logits), logits), dim=1) if classes == 1 else logits
    expected = functional.cross_entropy(both, labels, ignore_index=IGNORED, reduction="none")
    torch.testing.assert_close(pixel_losses(logits, labels), expected)


def test_the_boundary_loss_depends_on_the_label():
    """In the Keras article's it does not: its target holds both classes in the whole band."""
    labels = halves()
    only = LossWeights(cross_entropy=0, boundary=1)
    right = total_loss([sure(labels)], [1], labels, only)
    wrong = total_loss([sure(1 - labels)], [1], labels, only)
    undecided = total_loss([sure(labels, 0)], [1], labels, only)
    assert right.item() == pytest.approx(0, abs=1e-6)
    assert wrong.item() == pytest.approx(20, rel=1e-4)
    assert undecided.item() == pytest.approx(math.log(2))


def test_the_boundary_loss_sees_the_band_only():
    labels = halves()
    logits = sure(labels)
    logits[..., :8] = -logits[..., :8]  # wrong, but far from the outline at column 16
    weights = LossWeights(cross_entropy=0, boundary=1)
    assert total_loss([logits], [1], labels, weights).item() == pytest.approx(0, abs=1e-6)
    logits[..., 10] = -logits[..., 10]
    assert total_loss([logits], [1], labels, weights).item() == pytest.approx(20 / 14, rel=1e-4)


def test_ignored_pixels_count_for_nothing():
    labels = halves()
    labels[..., :8] = IGNORED
    weights = LossWeights(boundary=1, jaccard=1, lovasz=1, distillation=1, coarse=1)
    teacher = ((labels == 1) * 255).byte()

    def loss_with(value):
        logits = sure(labels)
        logits[..., :8] = value
        coarse = logits[..., 4::8, 4::8]
        return total_loss([logits, coarse], [1, 8], labels, weights, teacher).item()

    assert loss_with(50.0) == pytest.approx(loss_with(-3.0), abs=1e-6)


def test_all_ignored_is_no_loss_and_no_nan():
    labels = torch.full((1, 16, 16), IGNORED)
    logits = torch.randn(1, 2, 16, 16, requires_grad=True)
    loss = total_loss([logits], [1], labels, LossWeights(jaccard=1, lovasz=1))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad.isfinite().all()


def test_the_coarse_output_is_compared_at_an_eighth():
    labels = halves(64, 64)
    weights = LossWeights(boundary=0, coarse=0.5)
    fine = sure(labels)
    coarse = sure(1 - labels)[..., 4::8, 4::8]
    loss = total_loss([fine, coarse], [1, 8], labels, weights)
    assert loss.item() == pytest.approx(0.5 * 20, rel=1e-4)


@pytest.mark.parametrize(("right", "expected"), [(True, 0.0), (False, 1.0)])
def test_soft_jaccard_of_sure_answers(right, expected):
    labels = halves()
    logits = sure(labels if right else 1 - labels, 60)
    # One pixel is added to intersection and union of 1,024.
    assert soft_jaccard_loss(logits, labels).item() == pytest.approx(expected, abs=1.1e-3)


def test_lovasz_hinge_of_sure_answers_is_the_jaccard_loss():
    """At the corners ±1 of the margin the Lovász extension is the set function, doubled errors."""
    labels = torch.tensor([[[1, 1, 1, 0]]])
    answer = torch.tensor([[[[1.0, 1.0, -1.0, 1.0]]]])  # 2 hits, 1 miss, 1 false alarm
    # Errors are 0, 0, 2, 2: the extension is linear, so twice the loss 1 − 2/4.
    assert lovasz_loss(answer, labels).item() == pytest.approx(2 * 0.5)


def test_lovasz_hinge_is_zero_beyond_the_margin():
    labels = halves()
    assert lovasz_loss(sure(labels, 4), labels).item() == 0


def test_distillation_is_least_at_the_teachers_probability():
    teacher = torch.full((1, 2, 2), 0.8)
    known = torch.ones(1, 2, 2, dtype=torch.bool)

    def loss(probability):
        odds = math.log(probability / (1 - probability))
        logits = torch.stack((torch.zeros(1, 2, 2), torch.full((1, 2, 2), odds)), dim=1)
        return distillation_loss(logits, teacher, known).item()

    entropy = -0.8 * math.log(0.8) - 0.2 * math.log(0.2)
    assert loss(0.8) == pytest.approx(entropy, rel=1e-5)
    assert min(loss(0.7), loss(0.9)) > loss(0.8)
