"""Images cut by what they are like, and a network's scores of the slices."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipelines.networks.attributes import Attributes
from pipelines.networks.looking import Look, look_at
from pipelines.networks.slicing import LEAST, MEASURED, ImageSlice, score_slices, slices_of
from pipelines.pictures.traits import TITLES, Traits
from pipelines.workspace.settings import DetectorSettings
from sinet.data import Sample

NAMES = [f"i{number:02}" for number in range(60)]


def look(number: float, skin: float | None = 20.0) -> Look:
    return Look(brightness=number, traits=Traits(*[number] * len(TITLES)), skin=skin)


def by_trait(slices: list[ImageSlice]) -> dict[str, list[tuple[str | None, int]]]:
    found: dict[str, list[tuple[str | None, int]]] = {}
    for each in slices:
        found.setdefault(each.trait, []).append((each.value, len(each.names)))
    return found


def test_every_image_is_somewhere_whatever_is_not_known_of_it() -> None:
    tones = [70.0, 0.0, None]
    looks = {name: look(number, tones[number % 3]) for number, name in enumerate(NAMES)}
    looks["i00"] = Look(brightness=0, traits=None, skin=None)
    words = Attributes(
        words={"hat": {"i01": "yes", "i02": "no"}},
        numbers={"age": {name: 30.0 + number for number, name in enumerate(NAMES[:30])}},
    )
    found = by_trait(slices_of(looks, words))
    assert list(found) == [*MEASURED, "hat", "age"]
    assert found["face"] == [("found", 59), ("not found", 1)]
    assert sum(number for _, number in found["turn"]) == 59
    assert found["brightness"] == [(None, 20)] * 3
    assert found["skin_tone"] == [("very light", 19), ("brown", 20), ("not measured", 20)]
    assert found["hat"] == [("no", 1), ("yes", 1), ("not given", 58)]
    assert found["age"] == [(None, 10)] * 3 + [("not given", 30)]


def test_limits_are_those_of_the_values_and_of_the_bands() -> None:
    slices = slices_of({name: look(number) for number, name in enumerate(NAMES)}, None)
    assert [(each.low, each.high) for each in slices if each.trait == "turn"] == [
        (0, 19), (20, 39), (40, 59),
    ]  # fmt: skip
    (tone,) = [each for each in slices if each.trait == "skin_tone"]
    assert (tone.value, tone.low, tone.high) == ("tan", 10, 28)


def test_the_worst_is_large_enough_and_knows_how_far_it_is_below() -> None:
    slices = [
        ImageSlice(trait="hat", value="yes", names=frozenset(NAMES[:LEAST])),
        ImageSlice(trait="hat", value="no", names=frozenset(NAMES[LEAST:])),
        ImageSlice(trait="veil", value="yes", names=frozenset(NAMES[:3])),
        ImageSlice(trait="veil", value="no", names=frozenset(["of nobody"])),
    ]
    scores = {name: 0.7 if number < LEAST else 0.9 for number, name in enumerate(NAMES)}
    scores |= dict.fromkeys(NAMES[:3], 0.1)
    found = score_slices(slices, scores)
    assert [(each.value, each.images) for each in found.slices] == [
        ("yes", LEAST), ("no", 40), ("yes", 3),
    ]  # fmt: skip
    assert found.slices[2].native_iou == pytest.approx(0.1)
    assert found.slices[2].native_iou_interval_95 is None
    worst = found.worst
    assert worst is not None
    of = worst.slice
    assert (of.trait, of.value, of.images, worst.chosen_from) == ("hat", "yes", LEAST, 2)
    assert of.native_iou == pytest.approx((17 * 0.7 + 3 * 0.1) / 20)
    assert worst.below_mean == pytest.approx(np.mean(list(scores.values())) - of.native_iou)
    assert worst.below_mean_interval_95[0] > 0
    low, high = worst.lowest_interval_95
    assert low <= of.native_iou <= high
    few = score_slices(slices[2:], scores)
    assert few.worst is None


def test_real_photos_are_measured(astronaut: np.ndarray, tmp_path: Path) -> None:
    """Upright and turned, half as large and dark, behind somebody else's mask, and empty."""
    person = np.zeros(astronaut.shape[:2], np.uint8)
    cv2.ellipse(person, (225, 200), (190, 170), 0, 0, 360, 255, -1)
    person[250:] = 255
    samples = []

    def add(name: str, rgb: np.ndarray, mask: np.ndarray) -> None:
        paths = tmp_path / f"{name}.png", tmp_path / f"{name}-mask.png"
        for path, pixels in zip(paths, (rgb, mask), strict=True):
            Image.fromarray(np.ascontiguousarray(pixels)).save(path)
        samples.append(Sample(name, *paths))

    add("upright", astronaut, person)
    add("turned", np.rot90(astronaut), np.rot90(person))
    add("dark", astronaut[::2, ::2] // 2, person[::2, ::2])
    add("elsewhere", astronaut, np.where(np.arange(512) > 450, 255, 0)[None].repeat(512, 0)
        .astype(np.uint8))  # fmt: skip
    add("nobody", np.full_like(astronaut, 90), person)
    found = look_at(samples, DetectorSettings())
    upright, turned, dark = (found[name] for name in ("upright", "turned", "dark"))
    assert upright.traits is not None
    assert turned.traits is not None
    assert dark.traits is not None
    assert 90 < upright.traits.face_px < 140
    assert upright.traits.turn < 0.3
    assert dark.traits.face_px == pytest.approx(upright.traits.face_px / 2, rel=0.15)
    assert dark.brightness == pytest.approx(upright.brightness / 2, abs=2)
    assert upright.skin is not None
    assert turned.skin == pytest.approx(upright.skin, abs=8)
    assert dark.skin is not None
    assert dark.skin < upright.skin, "it depends on the light, and says so"
    assert found["elsewhere"].traits is found["nobody"].traits is None
    assert found["nobody"].brightness == 90
