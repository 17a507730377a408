import pytest
import torch
from torch import nn

from sinet import SINet
from sinet.checkpoint import load_model
from sinet.convert import FoldedSINet
from sinet.convert.algebra import (
    activation,
    activation_after_scale,
    affine_of,
    convolution,
    settled,
    shuffled_order,
    ungrouped,
    upsampling_matrix,
)
from sinet.networks.layers import batch_norm, shuffle_channels, upsample


def unsettled(seed: int, classes: int = 2) -> SINet:
    """A network in which nothing is the identity: signs, zeros and tiny numbers included."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = SINet(classes)

    def uniform(count, low, high):
        return torch.rand(count, generator=generator) * (high - low) + low

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            count = module.num_features
            module.weight.data = uniform(count, -0.3, 1.5)
            module.weight.data[0] = 0.0
            module.weight.data[-1] = 1e-39  # what weight decay leaves behind
            module.bias.data = uniform(count, -0.5, 0.5)
            module.running_mean = uniform(count, -0.5, 0.5)
            module.running_var = uniform(count, 0.2, 2.0)
        elif isinstance(module, nn.PReLU):
            module.weight.data = uniform(module.num_parameters, -0.6, 1.2)
            module.weight.data[-1] = 1e-40
    return network.eval()


def difference(network: SINet, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        logits = network(images)
    return logits[:, 1:] - logits[:, :1]


@pytest.mark.parametrize("size", [(224, 224), (64, 96)])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_folded_network_is_the_same_function(seed, size):
    network = unsettled(seed)
    images = torch.randn(1, 3, *size)
    expected = difference(network, images)
    with torch.inference_mode():
        found = FoldedSINet(network, *size)(images)
    assert expected.std() > 1e-3
    scale = max(1.0, float(expected.abs().max()))
    assert found.shape == (1, 1, *size)
    assert float((found - expected).abs().max()) < 1e-4 * scale


def test_the_authors_network_folded(shared):
    import numpy as np

    network = load_model(shared / "weights" / "sinet_official.pth").network
    vectors = np.load(shared / "weights" / "sinet_official_vectors.npz")
    folded = FoldedSINet(network, 224, 224)
    for image, logits in zip(vectors["input"], vectors["logits"], strict=True):
        with torch.inference_mode():
            found = folded(torch.from_numpy(image)[None])[0, 0].numpy()
        assert np.abs(found - (logits[1] - logits[0])).max() < 1e-4


def test_folding_removes_what_it_says():
    folded = FoldedSINet(unsettled(0), 64, 64)
    kinds = {type(module) for module in folded.modules()}
    assert nn.BatchNorm2d not in kinds
    assert nn.Linear not in kinds
    tiny = [p for p in folded.parameters() if ((p != 0) & (p.abs() < 1e-30)).any()]
    assert tiny == []


def test_the_original_is_left_alone():
    network = unsettled(0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    FoldedSINet(network, 64, 64)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("classes", "size", "problem"), [(1, (64, 64), "1 classes"), (2, (64, 40), "multiples of 32")]
)
def test_what_cannot_be_folded(classes, size, problem):
    with pytest.raises(ValueError, match=problem):
        FoldedSINet(SINet(classes), *size)


@pytest.mark.parametrize("groups", [2, 3])
def test_a_shuffle_becomes_an_order_of_outputs(groups):
    layer = nn.Conv2d(12, 6 * groups, 1, groups=groups, bias=False)
    features = torch.randn(2, 12, 5, 4)
    weight = ungrouped(layer.weight.detach(), groups)[shuffled_order(6 * groups, groups)]
    torch.testing.assert_close(
        convolution(weight)(features), shuffle_channels(layer(features), groups)
    )


def test_an_affine_is_its_normalisation():
    norm = batch_norm(5)
    norm(torch.randn(4, 5, 3, 3) * 3 + 1)
    norm.weight.data, norm.bias.data = torch.randn(5), torch.randn(5)
    features = torch.randn(1, 5, 4, 4)
    scale, shift = affine_of(norm)
    found = features * scale.float().view(1, -1, 1, 1) + shift.float().view(1, -1, 1, 1)
    torch.testing.assert_close(found, norm.eval()(features))


def test_a_scale_moves_through_a_prelu():
    slopes = torch.tensor([0.2, 0.2, -0.4, -0.4, 1.5], dtype=torch.float64)
    scale = torch.tensor([3.0, -2.0, 0.5, -0.1, -1.0], dtype=torch.float64)
    features = torch.randn(1, 5, 6, 6)
    new_slopes, left = activation_after_scale(slopes, scale)
    found = activation(new_slopes)(features * scale.float().view(1, -1, 1, 1))
    expected = activation(slopes)(features) * left.float().view(1, -1, 1, 1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("size", "factor"), [(2, 2), (7, 4), (14, 2), (56, 2)])
def test_enlargement_as_a_matrix(size, factor):
    features = torch.randn(1, 1, size, size, dtype=torch.float64)
    matrix = upsampling_matrix(size, factor)
    torch.testing.assert_close(matrix @ features @ matrix.t(), upsample(features, factor))


def test_denormal_weights_become_zero():
    assert settled(torch.tensor([1e-40, -1e-35, 1e-20, 2.0])).tolist()[:2] == [0, 0]
