import math

import pytest
import torch

from sinet.errors import NetworkError
from sinet.losses import IGNORED, consistency_loss, edge_loss, presence_loss
from sinet.networks import build_network


def half_person(size=16):
    labels = torch.zeros(1, size, size, dtype=torch.long)
    labels[:, :, size // 2 :] = 1
    return labels


def test_the_edge_loss_of_a_coin_is_known_and_that_of_the_truth_nothing():
    labels = half_person()
    undecided = torch.zeros(1, 2, 16, 16)
    assert edge_loss(undecided, labels).item() == pytest.approx(math.log(2) / 4)
    right = torch.zeros(1, 2, 16, 16)
    right[:, 0], right[:, 1, :, 6:10] = 0, 40  # four pixels wide
    right[:, 1, :, :6] = right[:, 1, :, 10:] = -40
    assert edge_loss(right, labels).item() == pytest.approx(0, abs=1e-6)
    assert edge_loss(undecided, torch.full_like(labels, IGNORED)).item() == 0


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_consistency_is_nothing_between_equals_and_teaches_one_side(classes):
    logits = torch.randn(2, classes, 4, 4, requires_grad=True)
    teacher = torch.randn(2, classes, 4, 4, requires_grad=True)
    assert consistency_loss(logits, logits).item() == pytest.approx(0, abs=1e-6)
    loss = consistency_loss(logits, teacher)
    assert loss.item() > 0
    loss.backward()
    assert logits.grad.any()
    assert teacher.grad is None


def test_consistency_of_known_odds():
    """A teacher that is sure against a coin: log 2."""
    teacher = torch.tensor([-50.0, 50.0]).view(1, 2, 1, 1)
    assert consistency_loss(torch.zeros(1, 2, 1, 1), teacher).item() == pytest.approx(math.log(2))


def test_presence_counts_classes_of_the_image():
    labels = torch.tensor([[[0, 0], [0, IGNORED]], [[0, 1], [1, 1]]])
    right = torch.tensor([[40.0, -40.0], [40.0, 40.0]])
    assert presence_loss(right, labels).item() == pytest.approx(0, abs=1e-6)
    assert presence_loss(-right, labels).item() == pytest.approx(40)
    assert presence_loss(right[:, 1:], labels).item() == pytest.approx(0, abs=1e-6)


def test_a_loss_without_its_head_is_refused():
    network = build_network("portraitnet")
    with pytest.raises(NetworkError, match="needs the option edge_head"):
        network.training_step(torch.rand(2, 3, 32, 32), half_person(32).repeat(2, 1, 1), ["edge"])
