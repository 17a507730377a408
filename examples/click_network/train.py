r"""Train the click network.

    python -m examples.click_network.train --shared ../shared --collected collected/trusted \
        --out runs/clicks

Reads EG1800's `train.txt` less the tenth that is held back, with the masks of the teacher, and
whatever `examples.web_crawl.collect` trusted. Somebody who clicks is simulated: a picture begins
with a mask of which something is wrong; each step clicks into the middle of it, learns, and goes on
with what the network made of it, up to four times. Interrupted, the same command goes on. OUT gets
`log.csv`, `state.pt`, and `last.safetensors`.
"""

import argparse
import copy
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from examples.averaging import follow
from examples.click_network.data import (
    GUESS,
    PICTURE,
    TRUTH,
    Pixels,
    augmented,
    begun,
    load,
    sources,
)
from sinet.clicks.click import Click, click_maps
from sinet.clicks.network import ClickNetwork
from sinet.clicks.simulating import Mask, next_click
from sinet.clicks.weights import pixels_of, save_click_network
from sinet.losses.total import LossWeights, targets_of, total_loss
from sinet.models import load_person_model

BATCH = 16
POOL = 64
PEAK_RATE, WARM_UP_STEPS, WEIGHT_DECAY = 3e-3, 100, 0.02
AVERAGE = 0.995
HELD_BACK = 0.1
SIDES = ((0.6, 160), (1.0, 224))
"""Until which part of the training pictures are brought to which side."""
LOSSES = LossWeights(cross_entropy=1.0, boundary=0.5, jaccard=0.5)
SEVERAL_CLICKS = (0.3, 0.3, 0.25, 0.15)
"""How often a picture is clicked once, twice, …"""
SAVED_STEPS = 50
FINISHED_PX = 1.5
"""Errors no deeper than this, at the network's input, nobody clicks."""


@dataclass
class Patient:
    """A picture whose mask is being mended."""

    seen: Pixels
    mask: Mask
    left: int
    clicks: list[Click] = field(default_factory=list)


class Ward:
    """Pictures that are being mended; whoever is done makes room for another."""

    def __init__(self, kept: list[Pixels], shares: list[float], side: int, seed: list[int]) -> None:
        self.kept, self.shares, self.side = kept, shares, side
        self.chance = np.random.default_rng(seed)
        self.patients = [self._fresh() for _ in range(POOL)]

    def _fresh(self) -> Patient:
        source = self.kept[self.chance.choice(len(self.kept), p=self.shares)]
        seen = augmented(source[self.chance.integers(len(source))], self.side, self.chance)
        left = 1 + int(self.chance.choice(len(SEVERAL_CLICKS), p=SEVERAL_CLICKS))
        return Patient(seen, begun(seen, self.chance), left)

    def clicked(self) -> list[Patient]:
        """A batch, each clicked once more."""
        places = self.chance.choice(POOL, BATCH, replace=False)
        for place in places:
            while not self._click(self.patients[place]):
                self.patients[place] = self._fresh()
        return [self.patients[place] for place in places]

    def _click(self, patient: Patient) -> bool:
        if patient.left == 0:
            return False
        truth = patient.seen[..., TRUTH] > 127
        somewhere = self.chance if self.chance.random() < 0.5 else None
        click = next_click(patient.mask, truth, somewhere, least=FINISHED_PX)
        if click is None:
            return False
        patient.clicks.append(click)
        patient.left -= 1
        return True


def batch_of(patients: list[Patient]) -> tuple[Tensor, Tensor]:
    """Input float (N, 7, side, side), and labels int64 (N, side, side)."""
    side = len(patients[0].mask)
    pixels = [
        pixels_of(
            each.seen[..., PICTURE],
            np.asarray(each.seen[..., GUESS] / np.float32(255), np.float32),
            each.mask.astype(np.float32),
            click_maps(each.clicks, side),
        )
        for each in patients
    ]
    truths = np.stack([each.seen[..., TRUTH] > 127 for each in patients])
    return torch.cat(pixels), torch.from_numpy(truths).long()


def train(kept: list[Pixels], shares: list[float], out: Path, steps: int, seed: int) -> nn.Module:
    """Train, or go on; the averaged weights."""
    torch.manual_seed(seed)
    network = ClickNetwork().to(memory_format=torch.channels_last)
    average = copy.deepcopy(network)
    decayed = [value for value in network.parameters() if value.ndim > 1]
    others = [value for value in network.parameters() if value.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    )
    first = 0
    if (out / "state.pt").exists():
        state = torch.load(out / "state.pt", weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    ward, losses, began = None, [], time.time()
    for step in range(first, steps):
        side = next(side for part, side in SIDES if step < part * steps or part == 1)
        if ward is None or ward.side != side:
            ward = Ward(kept, shares, side, [seed, step])
        rate = PEAK_RATE * min(1, (step + 1) / WARM_UP_STEPS)
        rate *= 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        patients = ward.clicked()
        pixels, labels = batch_of(patients)
        logits = network(pixels.contiguous(memory_format=torch.channels_last))
        loss = total_loss([logits], targets_of(labels, [1]), LOSSES)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        follow(average, network, min(AVERAGE, (step + 1) / (step + 11)))
        for patient, mask in zip(patients, (logits.detach()[:, 0] > 0).numpy(), strict=True):
            patient.mask = mask
        losses.append(loss.item())
        if (step + 1) % SAVED_STEPS == 0 or step + 1 == steps:
            state = {"network": network.state_dict(), "average": average.state_dict()}
            state |= {"optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save(state, out / "state.partial")
            (out / "state.partial").replace(out / "state.pt")
            save_click_network(
                out / "last.safetensors", average.eval(), {"steps": step + 1, "of": steps}
            )
            line = f"{step + 1},{side},{rate:.6f},{np.mean(losses):.4f},{time.time() - began:.0f}"
            with (out / "log.csv").open("a") as log:
                log.write(line + "\n")
            print(line, flush=True)
            losses = []
    return average


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--collected", type=Path, nargs="*", default=[])
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=600, help="images of each crawl")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-back", type=float, default=HELD_BACK)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    options.out.mkdir(parents=True, exist_ok=True)
    teacher = options.teacher or options.shared / "weights/deeplabv3_mobilenetv2_voc.onnx"
    guess = load_person_model("sinet:bundled")
    read = sources(options.shared, options.collected, teacher, options.most)
    kept = [load(source, guess, options.held_back, options.out / "kept") for source in read]
    shares = [1.0] if len(kept) == 1 else [0.65, *[0.35 / (len(kept) - 1)] * (len(kept) - 1)]
    train(kept, shares, options.out, options.steps, options.seed)


if __name__ == "__main__":
    main()
