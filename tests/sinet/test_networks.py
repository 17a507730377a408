import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sinet import SINet, load_official
from sinet.errors import CheckpointError
from sinet.networks import NETWORKS, DeepLab, build_network


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds(network, side):
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, side, side))
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(
    ("classes", "whole", "encoder", "megamacs"),
    [(1, 86_684, 86_620, 62.25), (2, 86_910, 86_764, 63.87)],
)
def test_sinet_has_the_published_size(classes, whole, encoder, megamacs):
    network = SINet(classes).eval()
    assert parameters(network) == whole
    assert parameters(network.encoder) == encoder
    assert multiply_adds(network, 224) / 1e6 == pytest.approx(megamacs, abs=0.01)


def test_the_authors_checkpoint_answers_as_theirs(shared):
    network = load_official(shared / "weights" / "sinet_official.pth")
    vectors = np.load(shared / "weights" / "sinet_official_vectors.npz")
    with torch.inference_mode():
        logits = network(torch.from_numpy(vectors["input"]))
    assert np.abs(logits.numpy() - vectors["logits"]).max() < 1e-4


def test_a_cut_off_official_checkpoint_is_told_in_one_line(shared, tmp_path):
    data = (shared / "weights" / "sinet_official.pth").read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"cut\.pth: broken or cut off") as caught:
        load_official(path)
    assert "\n" not in str(caught.value)


def test_another_checkpoint_is_not_taken_for_the_official_one(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="another network: 1 entries"):
        load_official(path)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(224, 224), (208, 240), (33, 65), (1, 1), (50, 31)])
def test_any_size_goes_in_and_comes_out(name, size):
    network = build_network(name).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, *size)).shape == (1, 2, *size)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_one_trains_every_weight(name):
    torch.manual_seed(0)
    network = build_network(name).train()
    outputs = network.training_logits(torch.rand(1, 3, 64, 64))
    assert [output.shape[-1] for output in outputs] == [64 // s for s in network.strides]
    sum(output.square().mean() for output in outputs).backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


def test_the_encoder_trains_alone():
    network = SINet()
    (logits,) = network.training_logits(torch.rand(2, 3, 64, 64), encoder_only=True)
    assert logits.shape == (2, 2, 8, 8)
    logits.square().mean().backward()
    assert network.classifier.weight.grad is None


def test_padding_leaves_a_full_sized_image_as_it_is():
    torch.manual_seed(0)
    network = SINet().eval()
    image = torch.rand(1, 3, 64, 64)
    padded = torch.nn.functional.pad(image[..., :50], (0, 14, 0, 0), mode="replicate")
    with torch.inference_mode():
        torch.testing.assert_close(network(image[..., :50]), network(padded)[..., :50])


def test_one_class_closes_the_skip():
    torch.manual_seed(0)
    network = SINet(classes=1)
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert not network.skip.convolution.weight.grad.any()


def test_deeplab_fits_six_megabytes_in_half_precision():
    assert parameters(DeepLab()) * 2 < 6_000_000
