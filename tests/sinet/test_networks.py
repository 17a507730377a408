import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sinet import SINet, load_official
from sinet.errors import CheckpointError
from sinet.networks import DeepLab, build_network, outline_network
from sinet.networks.mobilenet import mobilenet_features


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds(network, side):
    device = next(network.parameters()).device
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, side, side, device=device))
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


@pytest.mark.parametrize("classes", [1, 2])
def test_extremec3net_has_the_published_size(classes):
    network = outline_network("extremec3net", classes)
    assert parameters(network) == 37_714 + 24 * classes
    assert multiply_adds(network, 224) / 1e9 == pytest.approx(0.1278, abs=0.0013)


@pytest.mark.parametrize(
    ("classes", "blocks", "whole"),
    [(19, 21, 496_306), (11, 21, 494_258), (2, 21, 491_954), (19, 15, 423_682)],
)
def test_cgnet_has_the_published_size(classes, blocks, whole):
    assert parameters(outline_network("cgnet", classes, {"blocks": blocks})) == whole


def test_what_cgnet_computes():
    assert multiply_adds(outline_network("cgnet"), 224) / 1e9 == pytest.approx(0.644, abs=0.001)


@pytest.mark.parametrize(("edge", "whole"), [(False, 2_080_760), (True, 2_080_904)])
def test_portraitnet_has_the_published_size(edge, whole):
    network = outline_network("portraitnet", 2, {"edge_head": edge})
    assert parameters(network) == whole
    assert multiply_adds(network, 224) / 1e9 == pytest.approx(0.361, abs=0.001)


@pytest.mark.parametrize(
    ("backbone", "measured", "unused", "gigamacs"),
    [
        # The measured counts hold the classifier of ImageNet.
        ("mobilenet_v2", 4_382_707, 1_281_000, 0.412),
        # And 19,584 biases before normalisations, but no normalisation of the stem (48).
        ("shufflenet", 3_508_451, 1_537_000 + 19_584 - 48, 0.215),
        # Measured were 6.10 G: those of a last block whose map is 16 × 16 instead of 14 × 14.
        ("darknet19", 20_545_459, 0, 5.19),
    ],
)
def test_liteseg_has_the_published_size(backbone, measured, unused, gigamacs):
    network = outline_network("liteseg", 19, {"backbone": backbone})
    assert parameters(network) + unused == measured
    assert multiply_adds(network, 224) / 1e9 == pytest.approx(gigamacs, abs=0.005)


def test_liteseg_of_two_classes():
    network = outline_network("liteseg")
    assert parameters(network) == 3_100_058
    assert multiply_adds(network, 224) / 1e9 == pytest.approx(0.407, abs=0.001)


@pytest.mark.parametrize(
    ("name", "options", "whole", "published"),
    [
        # What articles say, or others count, in millions with 19 classes; how far ours is off.
        ("espnetv2", {}, 787_200, (0.79, 0.005)),
        ("bisenet", {}, 13_392_384, (14, 0.7)),
        ("enet", {}, 360_287, (0.36, 0.005)),
        ("contextnet", {}, 840_211, (0.85, 0.01)),
        ("contextnet", {"shrink": 4}, 840_211, (0.85, 0.01)),
        ("fastscnn", {}, 1_137_795, (1.11, 0.03)),
    ],
)
def test_rivals_have_the_published_size(name, options, whole, published):
    assert parameters(outline_network(name, 19, options)) == whole
    millions, off = published
    assert whole / 1e6 == pytest.approx(millions, abs=off)


def test_mobilenetv3_is_torchvisions():
    from torchvision.models import mobilenet_v3_small
    from torchvision.models.segmentation.lraspp import LRASPPHead

    backbone = mobilenet_v3_small(weights=None, dilated=True, reduced_tail=True).features.eval()
    head = LRASPPHead(24, 288, 19, 128).eval()
    ours = outline_network("mobilenetv3", 19)
    assert parameters(ours) == parameters(backbone) + parameters(head)
    ours = mobilenet_features(reduced=True).eval()
    ours.load_state_dict(backbone.state_dict())
    images = torch.randn(2, 3, 64, 50)
    with torch.inference_mode():
        assert torch.equal(ours(images), backbone(images))


def test_means_over_parts_are_adaptive_pooling():
    from sinet.networks.layers import means_over

    features = torch.randn(2, 3, 7, 10)
    for size in ((1, 1), (3, 6), (7, 10), (9, 2)):
        expected = torch.nn.functional.adaptive_avg_pool2d(features, size)
        torch.testing.assert_close(means_over(features, size), expected)


def test_values_go_back_to_where_the_maxima_were():
    from sinet.networks.enet import Enlarging, Shrinking

    torch.manual_seed(0)
    features = torch.randn(1, 4, 6, 8)
    _, where = Shrinking(4, 8, 0.0).eval()(features)
    pooled, places = torch.nn.functional.max_pool2d(features, 2, return_indices=True)
    unpooled = torch.nn.functional.max_unpool2d(pooled, places, 2)
    enlarging = Enlarging(8, 4).eval()
    enlarging.narrow = torch.nn.Conv2d(8, 4, 1, bias=False)
    with torch.no_grad():
        enlarging.narrow.weight[:] = torch.eye(4, 8)[:, :, None, None]
        enlarging.activation.weight[:] = 1
        given = torch.cat((pooled, torch.zeros_like(pooled)), dim=1)
        enlarging.path = torch.nn.Sequential(enlarging.narrow, torch.nn.Upsample(scale_factor=2))
        found = enlarging(given, where) - enlarging.path(given)
    torch.testing.assert_close(found, unpooled)


@pytest.mark.parametrize(
    ("backbone", "size"), [("resnet50", 23_508_032), ("resnet101", 42_500_160)]
)
def test_sanets_parts_have_their_size(backbone, size):
    network = outline_network("sanet", 2, {"backbone": backbone})
    assert parameters(network.stages) == size
    assert parameters(network.heads) == 4_720_640


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "shufflenet", "darknet19"])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_litesegs_backbones_stop_shrinking(backbone, stride):
    options = {"backbone": backbone, "output_stride": stride}
    _, deep = outline_network("liteseg", 2, options).backbone(
        torch.zeros(1, 3, 64, 64, device="meta")
    )
    assert deep.shape[-2:] == (64 // stride, 64 // stride)


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


def test_the_bundled_networks_backbone_is_torchvisions():
    from torchvision.models import mobilenet_v3_small

    theirs = mobilenet_v3_small(weights=None, dilated=True).features.eval()
    ours = mobilenet_features().eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 97, 130)
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs(images))


def test_the_bundled_networks_load_no_torchvision():
    program = (
        "import sys\n"
        "from sinet import load_model\n"
        "load_model('bundled'), load_model('sinet:bundled')\n"
        "print('torch' in sys.modules, 'torchvision' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("True False\n", "")


@pytest.mark.parametrize(("name", "options"), [("sinet", {}), ("sanet", {})])
def test_attention_maps_are_as_large_as_the_image(name, options):
    torch.manual_seed(0)
    network = build_network(name, 2, options).eval()
    with torch.inference_mode():
        maps = network.attention_maps(torch.rand(1, 3, 50, 70))
    assert tuple(maps) == network.attention_names
    assert all(each.shape == (1, 50, 70) for each in maps.values())
    assert all(0 <= each.min() <= each.max() <= 1 for each in maps.values())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sanet", {"heads": "excitation"}),
        ("sanet", {"heads": "none"}),
        ("sinet", {"blocking": "global"}),
        ("sinet", {"blocking": "off"}),
    ],
)
def test_what_attends_to_no_place_has_no_maps(name, options):
    assert outline_network(name, 2, options).attention_names == ()


def test_without_heads_the_dense_output_is_all():
    network = build_network("sanet", 2, {"heads": "none"}).eval()
    plain = outline_network("sanet", 2, {"heads": "none"})
    assert parameters(plain) == 23_508_032 + 2 * 2048 + 2  # the dilated backbone and a classifier
    with torch.inference_mode():
        answer, dense = network.training_logits(torch.rand(1, 3, 32, 32))
    assert torch.equal(answer, torch.nn.functional.interpolate(dense, (32, 32), mode="bilinear"))


def test_the_skip_is_weighed_by_the_whole_image():
    torch.manual_seed(0)
    network = build_network("sinet", 2, {"blocking": "global"}).eval()
    weigh = network.weigh[0]
    images = torch.rand(1, 3, 64, 64)
    answers = {}
    for bias in (-100.0, 0.0, 100.0):
        weigh.weight.data.zero_()
        weigh.bias.data.fill_(bias)
        with torch.inference_mode():
            answers[bias] = network(images)
    # Shut, half open and open: all else is linear in evaluation.
    half = (answers[-100.0] + answers[100.0]) / 2
    torch.testing.assert_close(answers[0.0], half, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(answers[-100.0], answers[100.0])


def test_surroundings_in_the_last_block_alone():
    def rates(context):
        found = outline_network("cgnet", 2, {"context": context})
        kernels = (each for each in found.modules() if isinstance(each, torch.nn.Conv2d))
        return [each.dilation[0] for each in kernels if each.groups > 1]

    assert len(rates("both")) == 2 * (3 + 21)
    assert sorted(set(rates("local"))) == [1]
    assert rates("last") == [*[1] * 47, 4]
    assert rates("surrounding") == [*[2] * 6, *[4] * 42]


def test_blocking_lets_through_what_it_says():
    """With the same weights: nothing where it is sure, or only there, or everything."""
    torch.manual_seed(0)
    images = torch.rand(1, 3, 64, 64)
    networks = {
        blocking: build_network("sinet", 2, {"blocking": blocking}).eval()
        for blocking in ("confidence", "detached", "reverse", "off")
    }
    networks["confidence"].coarse_norm.bias.data = torch.tensor([0.0, 2.0])  # rather sure
    weights = networks["confidence"].state_dict()
    answers = {}
    for blocking, network in networks.items():
        network.load_state_dict(weights)
        network.classifier.weight.data.fill_(0)
        network.classifier.weight.data[:, :, 1, 1] = torch.eye(2)
        with torch.inference_mode():
            answers[blocking] = network(images)
    assert torch.equal(answers["confidence"], answers["detached"])
    # The gates of `confidence` and `reverse` add up to 1, and all else is linear in evaluation.
    without = networks["off"]
    without.skip.post.norm.weight.data.fill_(0)
    without.skip.post.norm.bias.data.fill_(0)
    with torch.inference_mode():
        nothing = without(images)
    both = answers["confidence"] + answers["reverse"] - nothing
    torch.testing.assert_close(both, answers["off"], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(answers["confidence"], answers["reverse"])
