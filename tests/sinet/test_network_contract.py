"""What every network promises, whatever it is made of."""

import io

import numpy as np
import onnxruntime
import pytest
import torch

from sinet.checkpoint import Model
from sinet.convert.description import Description
from sinet.convert.writing import onnx_model
from sinet.errors import NetworkError
from sinet.losses import LossWeights, targets_of, total_loss
from sinet.networks import NETWORKS, build_network
from sinet.normalisation import InputSpec

VARIANTS = {
    "sinet": ("sinet", {}),
    "extremec3net": ("extremec3net", {}),
    "extremec3net, coarse head": ("extremec3net", {"coarse_head": True}),
    "sinet, other modules": (
        "sinet",
        {"blocking": "off", "views": "dilation", "downsampling": "s2", "kernels": 3},
    ),
    "sinet, nothing pooled": (
        "sinet",
        {"blocking": "reverse", "downsampling": "dsconv", "kernels": 5, "pools": 1},
    ),
    "sinet, global blocking": ("sinet", {"blocking": "global", "pools": 2}),
    "cgnet": ("cgnet", {}),
    "cgnet, mixing": ("cgnet", {"mixing": True, "context": "last", "blocks": 9}),
    "cgnet, bare": (
        "cgnet",
        {
            "context": "local",
            "gate": False,
            "injection": False,
            "early_blocks": 6,
            "blocks": 9,
            "activation": "relu",
        },
    ),
    "cgnet, local residual": ("cgnet", {"residual": "local", "blocks": 15}),
    "portraitnet": ("portraitnet", {"edge_head": True}),
    "liteseg": ("liteseg", {}),
    "liteseg, stride 8": ("liteseg", {"output_stride": 8}),
    # Without the long connection a map of 1/32 is too coarse for the pictures to be learnt.
    "liteseg, bare": (
        "liteseg",
        {"pyramid": "aspp", "short": False, "long": False, "output_stride": 8},
    ),
    "liteseg, shufflenet": ("liteseg", {"backbone": "shufflenet"}),
    "deeplab": ("deeplab", {}),
    "espnetv2": ("espnetv2", {}),
    "espnetv2, scale 0.5": ("espnetv2", {"scale": "0.5"}),
    "bisenet": ("bisenet", {}),
    "enet": ("enet", {}),
    "mobilenetv3": ("mobilenetv3", {}),
    "contextnet": ("contextnet", {}),
    "contextnet, shrink 4": ("contextnet", {"shrink": 4}),
    "fastscnn": ("fastscnn", {}),
}
LARGE = {
    "liteseg, darknet19": ("liteseg", {"backbone": "darknet19"}),
    "sanet": ("sanet", {"categorical": True}),
    "sanet, excitation": ("sanet", {"heads": "excitation"}),
    "sanet, plain": ("sanet", {"heads": "none"}),
    "sanet, resnet101": ("sanet", {"backbone": "resnet101"}),
    "sanet, efficientnet": ("sanet", {"backbone": "efficientnet_b7"}),
    "deeplabv3plus": ("deeplabv3plus", {}),
}
EVERY = [*VARIANTS, *(pytest.param(name, marks=pytest.mark.campaign) for name in LARGE)]
# Of the large ones the cheapest checks are part of the default run.
SOME = [*VARIANTS, "liteseg, darknet19", "sanet", "deeplabv3plus"]


def build(variant, classes=2):
    torch.manual_seed(0)
    name, options = (VARIANTS | LARGE)[variant]
    return build_network(name, classes, options)


def test_every_network_is_held_to_it():
    assert {name for name, _ in (VARIANTS | LARGE).values()} == set(NETWORKS)


@pytest.mark.parametrize("variant", SOME)
def test_any_size_from_the_minimum_goes_in_and_comes_out(variant):
    network = build(variant).eval()
    least = network.minimum_side
    with torch.inference_mode():
        for height, width in ((least, least), (least, 37), (50, 31), (33, 65)):
            assert network(torch.rand(1, 3, height, width)).shape == (1, 2, height, width)


@pytest.mark.parametrize("variant", SOME)
def test_a_smaller_image_is_refused_in_one_line(variant):
    network = build(variant).eval()
    least = network.minimum_side
    if least == 1:
        assert network(torch.rand(1, 3, 1, 1)).shape == (1, 2, 1, 1)
        return
    with pytest.raises(NetworkError, match=f"at least {least} × {least} pixels, not {least - 1} ×"):
        network(torch.rand(1, 3, least, least - 1))


@pytest.mark.parametrize("variant", EVERY)
@pytest.mark.parametrize("classes", [1, 19])
def test_any_number_of_classes(variant, classes):
    network = build(variant, classes).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 32, 32)).shape == (1, classes, 32, 32)


@pytest.mark.parametrize("variant", SOME)
def test_train_mode_takes_a_batch_of_one_or_says_why_not(variant):
    network = build(variant).train()
    image = torch.rand(1, 3, 64, 64)
    if network.smallest_training_batch == 1:
        outputs = network.training_logits(image)
        assert [output.shape[-1] for output in outputs] == [64 // s for s in network.strides]
        return
    with pytest.raises(NetworkError, match="batches of at least 2, not 1"):
        network(image)
    assert network.eval()(image).shape == (1, 2, 64, 64)


@pytest.mark.parametrize("variant", EVERY)
def test_weights_go_out_and_in(variant):
    network, again = build(variant).eval(), build(variant).eval()
    for parameter in again.parameters():
        torch.nn.init.zeros_(parameter)
    again.load_state_dict(network.state_dict())
    image = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network(image), again(image))


@pytest.mark.parametrize("variant", EVERY)
def test_the_seed_decides(variant):
    def first_step():
        network = build(variant).train()
        images, labels = torch.rand(2, 3, 32, 32), torch.ones(2, 32, 32, dtype=torch.long)
        outputs, extra = network.training_step(images, labels, network.extra_losses)
        return [*outputs, *extra.values(), *network.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(first_step(), first_step(), strict=True))


def without_gradient(network, name):
    """Documented exceptions: what a batch may leave out by design."""
    # EfficientNet drops whole blocks at random in train mode.
    dropped = network.options.get("backbone") == "efficientnet_b7" and name.startswith("stages")
    # One class: the softmax that opens SINet's skip is constantly 1.
    gated = network.name == "sinet" and network.classes == 1 and name.startswith("skip")
    return dropped or gated


@pytest.mark.parametrize("variant", EVERY)
@pytest.mark.parametrize("classes", [1, 2])
def test_gradients_reach_every_weight(variant, classes):
    network = build(variant, classes).train()
    labels = (torch.rand(2, 64, 64) > 0.5).long()
    outputs, extra = network.training_step(torch.rand(2, 3, 64, 64), labels, network.extra_losses)
    targets = targets_of(labels, network.strides)
    loss = total_loss(outputs, targets, LossWeights(coarse=1)) + sum(extra.values())
    loss.backward()
    idle = [
        name
        for name, parameter in network.named_parameters()
        if (parameter.grad is None or not parameter.grad.any())
        and not without_gradient(network, name)
    ]
    assert idle == []


@pytest.mark.parametrize("variant", EVERY)
def test_the_exported_network_says_the_same(variant):
    network = build(variant)
    network.train()
    with torch.no_grad():  # running statistics of a real batch, or activations vanish
        for _ in range(3):
            network(torch.randn(4, 3, 64, 64))
    network.eval()
    spec = InputSpec(height=64, width=64)
    description = Description(
        network=network.name, input=spec, activation="softmax", person_index=1
    )
    exported = onnx_model(network, description).SerializeToString()
    session = onnxruntime.InferenceSession(io.BytesIO(exported).read())
    image = torch.randn(1, 3, 64, 64)
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.inference_mode():
        expected = network(image).numpy()
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())


def eight_pictures():
    """Bright ellipses on noise: float (8, 3, 64, 64) and int64 labels (8, 64, 64)."""
    random = torch.Generator().manual_seed(0)
    ys, xs = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    centres = torch.randint(24, 40, (8, 2), generator=random)
    labels = torch.stack([((ys - y) / 20) ** 2 + ((xs - x) / 14) ** 2 < 1 for y, x in centres])
    images = 0.5 * torch.randn(8, 3, 64, 64, generator=random) + labels[:, None].float()
    return images, labels.long()


SLOW_LEARNERS = {
    "liteseg",
    "liteseg, stride 8",
    "liteseg, bare",
    "liteseg, shufflenet",
    "portraitnet",
    "cgnet, local residual",
    "sinet, other modules",
    "sinet, nothing pooled",
    "cgnet, bare",
    "deeplab",
    "espnetv2",
    "bisenet",
    "enet",
    "mobilenetv3",
    "contextnet",
    "fastscnn",
    *LARGE,
}
STEPS, STEPS_OF_SLOW_LEARNERS = 200, 600


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(name, marks=pytest.mark.campaign if name in SLOW_LEARNERS else [])
        for name in (*VARIANTS, *LARGE)
    ],
)
def test_it_learns_eight_pictures(variant):
    images, labels = eight_pictures()
    network = build(variant).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1  # MobileNetV3's takes hundreds of steps to forget its start
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    targets, weights = targets_of(labels, network.strides), LossWeights(boundary=0, coarse=0.4)

    def iou():
        network.eval()
        with torch.inference_mode():
            said = network(images).argmax(dim=1) == 1
        network.train()
        return ((said & (labels == 1)).sum() / (said | (labels == 1)).sum()).item()

    for step in range(1, 1 + (STEPS_OF_SLOW_LEARNERS if variant in SLOW_LEARNERS else STEPS)):
        optimiser.zero_grad()
        total_loss(network.training_logits(images), targets, weights).backward()
        optimiser.step()
        if step % 10 == 0 and iou() > 0.95:
            return
    assert iou() > 0.95


def test_a_model_of_one_class_finds_a_person():
    model = Model(build("cgnet", classes=1).eval(), InputSpec(height=32, width=32))
    assert model.person_at_input(np.zeros((40, 50, 3), np.uint8)).shape == (32, 32)


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("cg-net", {}, "no network `cg-net`; did you mean cgnet"),
        ("xyz", {}, "no network `xyz`; Known are sinet"),
        ("liteseg", {"backbone": "mobilenet"}, r"not 'mobilenet'; did you mean mobilenet_v2"),
        ("liteseg", {"output_stride": 4}, "`output_stride` is published, 8, 16, 32, not 4"),
        ("portraitnet", {"edge_head": 1}, "`edge_head` is False, True, not 1"),
        ("deeplab", {"backbone": "resnet50"}, "deeplab has no option `backbone`; it has none"),
        ("sinet", {"blocks": 3}, "sinet has no option `blocks`; it has blocking, views"),
        ("sinet", {"views": "dilation", "pools": 1}, "dilation spreads kernels by `pools`"),
    ],
)
def test_what_is_mistyped_is_told_in_one_line(name, options, problem):
    with pytest.raises(NetworkError, match=problem) as caught:
        build_network(name, 2, options)
    assert "\n" not in str(caught.value)
