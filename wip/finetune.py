"""Fine-tune the ONNX DeepLabv3 (MobileNetV2) with a decoder, to teach SINet.

    python wip/finetune.py ONNX OUT --data EG1800 [--epochs 15]

Writes OUT/teacher.pt after every epoch; learns from `train.txt` less the held-back tenth alone.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional

from sinet.data import find_samples, hold_out
from sinet.data.augment import Augmentation
from sinet.data.batches import AugmentedSamples, Batches
from sinet.data.reading import PixelCache, read_sample
from sinet.evaluate import metric_truth
from sinet.losses.total import LossWeights, targets_of, total_loss
from sinet.metrics.counts import Counts

SIDE = 256


class Block(nn.Module):
    """Inverted residual with its batch normalisation folded away."""

    def __init__(self, convs, residual):
        super().__init__()
        self.convs, self.residual = nn.ModuleList(convs), residual

    def forward(self, x):
        y = x
        for conv in self.convs[:-1]:
            y = functional.relu6(conv(y))
        y = self.convs[-1](y)
        return x + y if self.residual else y


class Teacher(nn.Module):
    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        weights = {
            t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer
        }
        convs, groups = {}, {}
        for node in graph.node:
            if node.op_type != "Conv":
                continue
            said = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            weight = weights[node.input[1]]
            conv = nn.Conv2d(
                weight.shape[1] * said["group"],
                weight.shape[0],
                weight.shape[2],
                said["strides"][0],
                said["pads"][0],
                said["dilations"][0],
                said["group"],
            )
            conv.weight.data, conv.bias.data = weight, weights[node.input[2]]
            name = node.output[0].split("/")
            parts = [p for p in name if p.startswith("blocks.")]
            if parts:
                groups.setdefault(int(parts[-1].split(".")[1]), []).append(conv)
            else:
                convs[name[1]] = conv
        self.stem = convs["stem"]
        added = {2, 4, 5, 7, 8, 9, 11, 12, 14, 15}
        self.blocks = nn.ModuleList(Block(groups[i], i in added) for i in sorted(groups))
        self.aspp0, self.pool = convs["aspp0"], convs["image_pool"]
        self.project = convs["concat_proj"]
        self.old_logits = convs["logits"]
        self.high = nn.Sequential(nn.Conv2d(256, 96, 1, bias=False), nn.BatchNorm2d(96), nn.ReLU())
        self.low = nn.Sequential(
            nn.Conv2d(24 + 16, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()
        )
        self.low2 = nn.Sequential(nn.Conv2d(32, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        layers = []
        for i in (96 + 64, 96):
            layers += [
                nn.Conv2d(i, i, 3, padding=1, groups=i, bias=False),
                nn.BatchNorm2d(i),
                nn.ReLU(),
                nn.Conv2d(i, 96, 1, bias=False),
                nn.BatchNorm2d(96),
                nn.ReLU(),
            ]
        self.mix = nn.Sequential(*layers)
        self.out = nn.Conv2d(96, 2, 1)

    def trunk(self, x):
        x = functional.relu6(self.stem(x))
        kept = {}
        for i, block in enumerate(self.blocks):
            x = block(x)
            kept[i] = x
        pooled = functional.relu(self.pool(x.mean((2, 3), keepdim=True))).expand(
            -1, -1, *x.shape[2:]
        )
        return functional.relu(
            self.project(torch.cat([pooled, functional.relu(self.aspp0(x))], 1))
        ), kept

    def voc(self, x):
        return self.old_logits(self.trunk(x)[0])

    def forward(self, x):
        top, kept = self.trunk(x)
        quarter = kept[2].shape[2:]
        half = functional.avg_pool2d(kept[0], 2)
        low = self.low(torch.cat([kept[2], half], 1))
        eighth = self.low2(functional.interpolate(kept[5], size=quarter, mode="bilinear"))
        high = functional.interpolate(self.high(top), size=quarter, mode="bilinear")
        logits = self.out(self.mix(torch.cat([high, low, eighth], 1)))
        return functional.interpolate(logits, size=x.shape[2:], mode="bilinear")


def person(model, image):
    """uint8 (H, W, 3) RGB to probability at SIDE × SIDE, mean of the image and its mirror."""
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    x = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        both = model(torch.cat([x, x.flip(3)])).softmax(1)[:, 1]
        return ((both[0] + both[1].flip(1)) / 2).numpy()


def score(model, pictures):
    found = []
    for image, mask in pictures:
        p = cv2.resize(person(model, image), (224, 224))
        found.append(Counts.of(p > 0.5, metric_truth(mask)).iou)
    return float(np.mean(found))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("onnx", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.manual_seed(0)
    options.out.mkdir(parents=True, exist_ok=True)
    samples, held = hold_out(find_samples(options.data, "train"), 0.1)
    pictures = [read_sample(s)[:2] for s in held]
    cache = PixelCache(samples, 400, None)
    how = Augmentation(
        rotation_degrees=18,
        scale=(0.7, 1.4),
        translation=0.15,
        channel_gain=0.15,
        background_probability=0.25,
        noise_sigma=8,
    )
    batches = Batches(AugmentedSamples(cache, how, 0), 16, 0, 1)
    model = Teacher(options.onnx).to(memory_format=torch.channels_last)
    new = [
        p
        for n, p in model.named_parameters()
        if n.split(".")[0] in ("high", "low", "low2", "mix", "out")
    ]
    old = [
        p
        for n, p in model.named_parameters()
        if n.split(".")[0] not in ("high", "low", "low2", "mix", "out", "old_logits")
    ]
    optimiser = torch.optim.AdamW(
        [{"params": old, "peak": 2e-4}, {"params": new, "peak": 3e-3}], weight_decay=0.01
    )
    weights = LossWeights(cross_entropy=1.0, boundary=0.5, jaccard=0.5)
    averaged = copy.deepcopy(model)
    steps, step = len(batches) * options.epochs, 0
    compiled = torch.compile(model, dynamic=False)
    first = 0
    if options.resume and (options.out / "state.pt").exists():
        state = torch.load(options.out / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        first, step = state["epoch"], state["step"]
    for epoch in range(first, options.epochs):
        began, losses = time.time(), []
        model.train()
        for batch in batches.epoch(epoch, SIDE):
            rate = min(1, (step + 1) / 60) * 0.5 * (1 + math.cos(math.pi * step / steps))
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * rate
            x = (batch.images.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
            loss = total_loss([compiled(x)], targets_of(batch.labels, [1]), weights)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            step += 1
            decay = min(0.99, step / (step + 10))
            with torch.no_grad():
                for mine, theirs in zip(
                    averaged.state_dict().values(), model.state_dict().values(), strict=True
                ):
                    if mine.dtype.is_floating_point:
                        mine.lerp_(theirs, 1 - decay)
                    else:
                        mine.copy_(theirs)
            losses.append(loss.item())
        averaged.eval()
        torch.save(averaged.state_dict(), options.out / "teacher.pt")
        torch.save(
            {
                "model": model.state_dict(),
                "averaged": averaged.state_dict(),
                "optimiser": optimiser.state_dict(),
                "epoch": epoch + 1,
                "step": step,
            },
            options.out / "state.pt",
        )
        print(
            epoch + 1,
            f"loss {np.mean(losses):.4f} held-out {score(averaged, pictures):.4f} {time.time() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
