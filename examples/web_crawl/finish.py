"""Finish a SINet: the mean of two trainings' weights, and where it draws the line.

    python -m examples.web_crawl.finish FIRST SECOND --part 0.5 --threshold 0.6 --out FILE

Networks that learnt from teachers draw persons too large: on everything that is held back masks are
better where only what they give 0.6 counts. So the last normalisation's offset is moved until what
was 0.6 before is 0.5; the network has as many parameters as it had, and costs the same.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch

from pipelines.networks import parse_network
from sinet.checkpoint import load_model, save_checkpoint
from sinet.networks.sinet import SINet


def mix(into: SINet, other: SINet, part: float) -> None:
    """Move a network's weights towards another's; their part of the mean."""
    with torch.no_grad():
        mine, theirs = into.state_dict(), other.state_dict()
        for name, value in mine.items():
            if value.dtype.is_floating_point:
                value.lerp_(theirs[name], part)


def move_line(network: SINet, threshold: float) -> None:
    """Make what a network gives `threshold` so far be 0.5; the rim of a picture, a pixel, aside.

    Args:
        network: of two classes; its logits are a convolution, without an offset of its own, of what
            the last normalisation gives, enlarged.
        threshold: probability of the person, in (0, 1).
    """
    with torch.no_grad():
        kernel = network.classifier.weight.sum(dim=(2, 3))  # (out, in)
        effect = kernel[1] - kernel[0]  # of an offset of each input on the log-odds
        wanted = -math.log(threshold / (1 - threshold))
        network.fine_norm.bias.add_(wanted * effect / effect.square().sum())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the finished network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs=2, metavar="NETWORK")
    parser.add_argument("--part", type=float, default=0.5, help="of the second")
    parser.add_argument("--threshold", type=float, default=0.6)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    first, second = (load_model(parse_network(name)) for name in options.networks)
    assert isinstance(first.network, SINet)
    assert isinstance(second.network, SINet)
    mix(second.network, first.network, 1 - options.part)
    move_line(second.network, options.threshold)
    save_checkpoint(options.out, second)


if __name__ == "__main__":
    main()
