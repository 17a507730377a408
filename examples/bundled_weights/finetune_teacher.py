"""Fine-tune the ONNX DeepLabv3 (MobileNetV2) into a strong teacher for SINet.

    python examples/bundled_weights/finetune_teacher.py ONNX OUT --data EG1800 [--epochs 6]

The exported network becomes a PyTorch one (its batch normalisations are folded into its
convolutions already), gets a decoder that also looks at 1/2, 1/4 and 1/8 of the size, and learns
the hand masks of `train.txt` less the fixed tenth held back. After every epoch OUT/state.pt is
written; run again, it goes on. At the end comes OUT/teacher.onnx, for `dataengine train --teacher`:
its answer is the mean over an image and its mirror image.
"""

import argparse
import copy
import json
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from examples.averaging import follow
from sinet.data import Augmentation, Sample, find_samples, hold_out
from sinet.data.batches import AugmentedSamples, Batches
from sinet.data.reading import PixelCache, Pixels, read_sample
from sinet.evaluate import metric_truth
from sinet.losses.total import LossWeights, targets_of, total_loss
from sinet.metrics.counts import Counts

SIDE_PX = 256
BATCH = 16
# Peaks of the learning rate: of what the exported network knows, and of the new decoder.
OLD_RATE, NEW_RATE = 2e-4, 3e-3
WARM_UP_STEPS = 60
AVERAGE = 0.99
NEW_PARTS = ("high", "low", "low2", "mix", "out")
LOSSES = LossWeights(cross_entropy=1.0, boundary=0.5, jaccard=0.5)
AUGMENTATION = Augmentation(
    rotation_degrees=18,
    scale=(0.7, 1.4),
    translation=0.15,
    channel_gain=0.15,
    background_probability=0.25,
    noise_sigma=8,
)


class Block(nn.Module):
    """Inverted residual of MobileNetV2."""

    def __init__(self, convolutions: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convolutions)
        first, *_, last = convolutions
        strides = {each.stride for each in convolutions}
        self.residual = first.in_channels == last.out_channels and strides == {(1, 1)}

    def forward(self, features: Tensor) -> Tensor:
        inner: Tensor = features
        for convolution in self.convs[:-1]:
            inner = functional.relu6(convolution(inner))
        inner = self.convs[-1](inner)
        return features + inner if self.residual else inner


class Teacher(nn.Module):
    """The ONNX network's trunk and pyramid with a decoder."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        named, blocks = read_convolutions(path)
        self.stem = named["stem"]
        self.blocks = nn.ModuleList(Block(blocks[number]) for number in sorted(blocks))
        self.aspp0, self.pool = named["aspp0"], named["image_pool"]
        self.project = named["concat_proj"]
        self.high, self.low, self.low2 = unit(256, 96), unit(24 + 16, 32), unit(32, 32)
        self.mix = nn.Sequential(*separable(96 + 64, 96), *separable(96, 96))
        self.out = nn.Conv2d(96, 2, 1)

    def trunk(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features at 1/16 of the size, and every block's output."""
        features, kept = functional.relu6(self.stem(images)), []
        for block in self.blocks:
            features = block(features)
            kept.append(features)
        pooled = functional.relu(self.pool(features.mean((2, 3), keepdim=True)))
        pooled = pooled.expand(-1, -1, *features.shape[2:])
        pyramid = torch.cat([pooled, functional.relu(self.aspp0(features))], 1)
        return functional.relu(self.project(pyramid)), kept

    def forward(self, images: Tensor) -> Tensor:
        """Map float (N, 3, H, W), RGB in [-1, 1], to logits (N, 2, H, W)."""
        top, kept = self.trunk(images)
        quarter = kept[2].shape[2:]
        low = self.low(torch.cat([kept[2], functional.avg_pool2d(kept[0], 2)], 1))
        eighth = self.low2(functional.interpolate(kept[5], size=quarter, mode="bilinear"))
        high = functional.interpolate(self.high(top), size=quarter, mode="bilinear")
        logits = self.out(self.mix(torch.cat([high, low, eighth], 1)))
        return functional.interpolate(logits, size=images.shape[2:], mode="bilinear")


class WithMirror(nn.Module):
    """The probability of the person, mean over an image and its mirror image."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, images: Tensor) -> Tensor:
        """Map float (1, 3, H, W), RGB in [-1, 1], to (1, 1, H, W), 0..1."""
        straight: Tensor = self.teacher(images).softmax(1)[:, 1:]
        mirrored: Tensor = self.teacher(images.flip(3)).softmax(1)[:, 1:].flip(3)
        return (straight + mirrored) / 2


def read_convolutions(path: Path) -> tuple[dict[str, nn.Conv2d], dict[int, list[nn.Conv2d]]]:
    """The ONNX network's convolutions: by name, and those of its numbered blocks."""
    graph = onnx.load(path).graph
    tensors = {
        each.name: torch.from_numpy(numpy_helper.to_array(each).copy())
        for each in graph.initializer
    }
    named: dict[str, nn.Conv2d] = {}
    blocks: defaultdict[int, list[nn.Conv2d]] = defaultdict(list)
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        said = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        weight = tensors[node.input[1]]
        convolution = nn.Conv2d(
            weight.shape[1] * said["group"],
            weight.shape[0],
            weight.shape[2],
            said["strides"][0],
            said["pads"][0],
            said["dilations"][0],
            said["group"],
        )
        assert convolution.bias is not None  # the default
        convolution.weight.data, convolution.bias.data = weight, tensors[node.input[2]]
        parts = node.output[0].split("/")  # as /blocks.3/blocks.3/dw/Conv_output_0, /stem/Conv_…
        number = next((part.split(".")[1] for part in parts if part.startswith("blocks.")), None)
        if number is None:
            named[parts[1]] = convolution
        else:
            blocks[int(number)].append(convolution)
    return named, blocks


def unit(inputs: int, outputs: int) -> nn.Sequential:
    """1×1 convolution with normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def separable(inputs: int, outputs: int) -> list[nn.Module]:
    """Depthwise 3×3 and 1×1 convolution with normalisation."""
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
    return [depthwise, nn.BatchNorm2d(inputs), nn.ReLU(), *unit(inputs, outputs)]


def fed(images: Tensor) -> Tensor:
    """RGB pixels 0..255 as the network wants them."""
    return (images.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def score(teacher: Teacher, samples: Sequence[tuple[Pixels, Pixels]]) -> float:
    """Mean IoU at 224 × 224."""
    model, found = WithMirror(teacher), []
    for image, mask in samples:
        small = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        with torch.inference_mode():
            person = model(fed(torch.from_numpy(small).permute(2, 0, 1)[None]))[0, 0].numpy()
        found.append(Counts.of(cv2.resize(person, (224, 224)) > 0.5, metric_truth(mask)).iou)
    return float(np.mean(found)) if found else math.nan


def finetune(
    teacher: Teacher,
    samples: Sequence[Sample],
    held_out: Sequence[Sample],
    out: Path,
    epochs: int,
) -> Teacher:
    """Train, and return the averaged weights; the held-out samples are scored every epoch."""
    scored = [(picture.image, picture.mask) for picture in map(read_sample, held_out)]
    batches = load(samples)
    new: list[nn.Parameter] = []
    old: list[nn.Parameter] = []
    for name, value in teacher.named_parameters():
        (new if name.split(".")[0] in NEW_PARTS else old).append(value)
    groups = [{"params": old, "peak": OLD_RATE}, {"params": new, "peak": NEW_RATE}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    average, first, step = copy.deepcopy(teacher), 0, 0
    if (out / "state.pt").exists():
        state = torch.load(out / "state.pt", weights_only=True)
        teacher.load_state_dict(state["model"])
        average.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        first, step = state["epoch"], state["step"]
    average.eval()
    compiled = torch.compile(teacher, dynamic=False)
    for epoch in range(first, epochs):
        began, losses = time.time(), []
        teacher.train()
        for batch in batches.epoch(epoch, SIDE_PX):
            cosine = 0.5 * (1 + math.cos(math.pi * step / (len(batches) * epochs)))
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * min(1, (step + 1) / WARM_UP_STEPS) * cosine
            logits = compiled(fed(batch.images))
            loss = total_loss([logits], targets_of(batch.labels, [1]), LOSSES)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(teacher.parameters(), 5.0)
            optimiser.step()
            step += 1
            follow(average, teacher, min(AVERAGE, step / (step + 10)))
            losses.append(loss.item())
        state = {
            "model": teacher.state_dict(),
            "averaged": average.state_dict(),
            "optimiser": optimiser.state_dict(),
            "epoch": epoch + 1,
            "step": step,
        }
        torch.save(state, out / "state.partial")
        (out / "state.partial").replace(out / "state.pt")
        seconds = time.time() - began
        print(
            f"{epoch + 1}/{epochs}: loss {np.mean(losses):.4f}, "
            f"held-out IoU {score(average, scored):.4f}, {seconds:.0f} s",
            flush=True,
        )
    return average


def load(samples: Sequence[Sample]) -> Batches:
    """Augmented batches of the samples."""
    augmented = AugmentedSamples(PixelCache(samples, 400, None), AUGMENTATION, 0)
    return Batches(augmented, BATCH, 0, workers=1)


def export(teacher: Teacher, path: Path) -> None:
    """Write the ONNX file, with what `dataengine` needs to know of it."""
    images = torch.zeros(1, 3, SIDE_PX, SIDE_PX)
    torch.onnx.export(
        WithMirror(teacher).eval(),
        (images,),
        path,
        dynamo=False,
        input_names=["image"],
        output_names=["person"],
    )
    model = onnx.load(path)
    said = {"activation": "none", "resize": "area", "channel_order": "rgb"}
    pairs = {key: json.dumps(value) for key, value in said.items()}
    onnx.helper.set_model_props(model, pairs)
    onnx.save(model, path)


def main() -> None:
    """Fine-tune and export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("onnx", type=Path, help="deeplabv3_mobilenetv2_voc.onnx")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.manual_seed(0)
    options.out.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(options.onnx).to(memory_format=torch.channels_last)
    samples, held_out = hold_out(find_samples(options.data, "train"), 0.1)
    average = finetune(teacher, samples, held_out, options.out, options.epochs)
    export(average, options.out / "teacher.onnx")


if __name__ == "__main__":
    main()
