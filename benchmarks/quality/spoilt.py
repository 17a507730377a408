"""Draw what honeypots do to a mask, on a free photo: `python -m benchmarks.quality.spoilt OUT`."""

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

from pipelines.masks.spoiling import Damage, Spoilt, spoil
from pipelines.networks import load_teacher
from pipelines.workspace.settings import TeacherSettings

_HEIGHT = 300
_IOU = (0.70, 0.85)


def main(arguments: Sequence[str]) -> None:
    """Write a row of pictures: the good mask, then each damage."""
    (out,) = arguments
    photo = np.ascontiguousarray(np.asarray(astronaut(), np.uint8)[:400, 60:380])
    teacher = load_teacher(TeacherSettings(name="sinet:bundled"), "cpu")
    good = teacher.person_probability([photo])[0] > 0.5
    chance = np.random.default_rng(3)
    spoilt: dict[Damage, Spoilt] = {}
    while len(spoilt) < len(Damage):
        found = spoil(good, *_IOU, chance)
        if found is not None:
            spoilt.setdefault(found.damage, found)
    tiles = [_drawn(photo, good, "good")]
    tiles += [
        _drawn(photo, each.mask, f"{damage}, IoU {each.iou:.2f}")
        for damage in Damage
        for each in [spoilt[damage]]
    ]
    cv2.imwrite(str(Path(out)), np.hstack(tiles)[:, :, ::-1])


def _drawn(photo: NDArray[np.uint8], mask: NDArray[np.bool_], title: str) -> NDArray[np.uint8]:
    tinted = photo.copy()
    tinted[~mask] = photo[~mask] // 3
    outline = cv2.findContours(mask.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(tinted, outline, -1, (255, 220, 0), 2)
    width = round(_HEIGHT * photo.shape[1] / photo.shape[0])
    small = cv2.resize(tinted, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
    cv2.putText(small, title, (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
    return np.asarray(small, np.uint8)


if __name__ == "__main__":
    main(sys.argv[1:])
