"""A mask is mended by clicks: the network says how, and what it says is held to the clicks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sinet.bundled import BUNDLED as NETWORKS
from sinet.checkpoint import load_model
from sinet.clicks.click import RADIUS, Box, Click, Mark, click_maps
from sinet.clicks.network import ClickNetwork
from sinet.clicks.weights import BUNDLED, load_click_network, pixels_of
from sinet.predict import PersonModel
from sinet.resample import shrink

SIDE: Final = 224
"""Of the square that a picture is brought to, in pixels."""

THIN: Final = 0.004
"""Changes that nobody clicked into and that are nowhere wider than twice this share of the
picture's longer side are not made: outlines that the network would only draw anew."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Canvas:
    """A picture made ready for clicks, which takes longer than a click.

    Attributes:
        shape: height and width of the picture.
        pixels: uint8 (SIDE, SIDE, 3) RGB.
        guess: float32 (SIDE, SIDE), 0..1: SINet's.
    """

    shape: tuple[int, int]
    pixels: NDArray[np.uint8]
    guess: NDArray[np.float32]


class Mender:
    """The click network with SINet beside it. Threads may share one.

    Args:
        weights: of the click network.
        guess: says where the person is before anybody clicks.
    """

    def __init__(self, weights: Path = BUNDLED, guess: PersonModel | None = None) -> None:
        self._network: ClickNetwork = load_click_network(weights)
        self._given = guess

    @cached_property
    def _guess(self) -> PersonModel:
        return self._given or load_model(NETWORKS["sinet:bundled"])

    def canvas(self, picture: NDArray[np.uint8]) -> Canvas:
        """Make a picture ready.

        Args:
            picture: uint8 (H, W, 3) RGB.
        """
        guess = self._guess.person_at_input(picture)
        return Canvas(
            shape=(picture.shape[0], picture.shape[1]),
            pixels=_square(picture),
            guess=np.asarray(cv2.resize(guess, (SIDE, SIDE)), np.float32),
        )

    def mend(self, canvas: Canvas, mask: Mask, marks: Sequence[Mark]) -> Mask:
        """Return the mask after clicks and boxes.

        Every click is obeyed: its pixel is inside after a positive one and outside after a
        negative one; where two contradict each other, the later. What the network adds stays
        within every box.

        Args:
            canvas: the picture.
            mask: (H, W) bool: what was there before the last mark; empty for nothing.
            marks: all there were, the last one last.

        Returns:
            (H, W) bool.

        Raises:
            ValueError: the mask has another size than the picture.
        """
        if mask.shape != canvas.shape:
            raise ValueError(f"a mask of {mask.shape} on a picture of {canvas.shape}.")
        boxes = [each.covers(canvas.shape) for each in marks if isinstance(each, Box)]
        for box in boxes:
            mask = mask & box
        clicks = [each for each in marks if isinstance(each, Click)]
        hints = [each if isinstance(each, Click) else each.middle for each in marks]
        said = self.logits(canvas, mask, hints) > 0
        for box in boxes:
            said &= box
        return obedient(merged(mask, said, hints), clicks)

    def logits(self, canvas: Canvas, mask: Mask, clicks: Sequence[Click]) -> NDArray[np.float32]:
        """What the network says, held to nothing: positive is the person.

        Args:
            canvas: the picture.
            mask: (H, W) bool; empty for nothing.
            clicks: all there were.

        Returns:
            float32 (H, W), of the picture's size.
        """
        cover = cv2.resize(mask.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        small = np.asarray(cover, np.float32)
        pixels = pixels_of(canvas.pixels, canvas.guess, small, click_maps(clicks, SIDE))
        with torch.inference_mode():
            logits = self._network(pixels)[0, 0].numpy()
        return np.asarray(cv2.resize(logits, canvas.shape[::-1]), np.float32)


def merged(before: Mask, said: Mask, clicks: Sequence[Click]) -> Mask:
    """Take from what the network says the changes that matter; the rest stays to the pixel.

    Args:
        before: (H, W) bool.
        said: (H, W) bool, the network's whole mask.
        clicks: whoever clicked into a change wants it, however thin it is.
    """
    if not before.any():
        return said
    change = before != said
    count, labels = cv2.connectedComponents(change.view(np.uint8), connectivity=4)
    depth = cv2.distanceTransform(np.pad(change, 1).view(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    wanted = np.zeros(count, np.bool_)
    wanted[labels[depth > THIN * max(change.shape)]] = True
    for click in clicks:
        wanted[labels[click.pixel(change.shape)]] = True
    wanted[0] = False
    return np.asarray(before ^ wanted[labels])


def obedient(mask: Mask, clicks: Sequence[Click]) -> Mask:
    """Draw a disc of the right kind around every click that the mask does not obey.

    A disc ends half-way to the next click of the other kind.
    """
    last = {click.pixel(mask.shape): click.positive for click in clicks}
    height, width = mask.shape
    rows, columns = np.ogrid[:height, :width]
    obeyed = mask
    for place, positive in last.items():
        if mask[place] == positive:
            continue
        others = [other for other, kind in last.items() if kind != positive]
        apart = [float(np.hypot(*np.subtract(place, other))) / 2 for other in others]
        radius = min([RADIUS * max(height, width), *apart])
        disc = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 < max(radius, 1) ** 2
        obeyed = np.where(disc, positive, obeyed)
    return np.asarray(obeyed)


def _square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if min(picture.shape[:2]) >= SIDE:
        return shrink(picture, SIDE, SIDE)
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
