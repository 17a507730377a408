"""Whatever a network says: clicks are obeyed, and what nobody meant stays."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sinet.clicks.click import Box, Click, Mark
from sinet.clicks.mending import SIDE, Canvas, Mask, Mender, merged, obedient
from sinet.clicks.network import ClickNetwork
from sinet.clicks.weights import load_click_network, save_click_network
from sinet.errors import CheckpointError


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    file = tmp_path_factory.mktemp("weights") / "clicks.safetensors"
    save_click_network(file, ClickNetwork(), {"steps": 0})
    return file


def picture(chance: np.random.Generator, height: int = 90, width: int = 70) -> NDArray[np.uint8]:
    return chance.integers(0, 256, (height, width, 3), dtype=np.uint8)


def some_marks(chance: np.random.Generator, number: int) -> list[Click]:
    return [
        Click(x=float(x), y=float(y), positive=bool(kind > 0.5))
        for x, y, kind in chance.random((number, 3))
    ]


@pytest.mark.parametrize("seed", range(8))
def test_every_click_is_obeyed_by_a_network_that_knows_nothing(untrained: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    mender = Mender(untrained)
    canvas = mender.canvas(picture(chance))
    mask = np.asarray(chance.random(canvas.shape) > 0.5)
    clicks = some_marks(chance, 6)
    after = mender.mend(canvas, mask, clicks)
    assert after.shape == canvas.shape
    last = {click.pixel(canvas.shape): click.positive for click in clicks}
    assert {place: bool(after[place]) for place in last} == last


def test_the_later_of_two_clicks_on_a_pixel_counts() -> None:
    place = {"x": 0.5, "y": 0.5}
    for first in (True, False):
        clicks = [Click(**place, positive=first), Click(**place, positive=not first)]
        after = obedient(np.full((50, 50), first), clicks)
        assert after[25, 25] != first


def test_clicks_of_both_kinds_side_by_side() -> None:
    clicks = [Click(x=0.50, y=0.5, positive=True), Click(x=0.51, y=0.5, positive=False)]
    after = obedient(np.zeros((100, 100), np.bool_), clicks)
    assert after[clicks[0].pixel((100, 100))]
    assert not after[clicks[1].pixel((100, 100))]


def test_what_obeys_is_left_alone() -> None:
    mask = np.zeros((50, 50), np.bool_)
    mask[20:40, 20:40] = True
    clicks = [Click(x=0.6, y=0.6, positive=True), Click(x=0.1, y=0.1, positive=False)]
    assert np.array_equal(obedient(mask, clicks), mask)


def test_the_same_click_gives_the_same_mask(untrained: Path) -> None:
    chance = np.random.default_rng(0)
    mender = Mender(untrained)
    canvas = mender.canvas(picture(chance, 300, 400))
    mask = np.zeros(canvas.shape, np.bool_)
    one, two = (mender.mend(canvas, mask, some_marks(np.random.default_rng(3), 2)) for _ in "ab")
    assert np.array_equal(one, two)


def test_thin_changes_that_nobody_clicked_into_are_not_made() -> None:
    before = np.zeros((400, 300), np.bool_)
    before[100:300, 100:200] = True
    said = before.copy()
    said[99:301, 99:201] = True  # the outline, one pixel wider
    said[20:60, 20:60] = True  # something large
    assert np.array_equal(merged(before, said, ())[90:310, 90:210], before[90:310, 90:210])
    assert merged(before, said, ())[40, 40]
    at_outline = Click(x=99.5 / 300, y=200.5 / 400, positive=True)
    assert merged(before, said, [at_outline])[99, 150]


def test_from_nothing_all_of_it_is_taken() -> None:
    said = np.zeros((50, 50), np.bool_)
    said[10, 10:40] = True
    assert np.array_equal(merged(np.zeros_like(said), said, ()), said)


def test_nothing_is_added_outside_of_a_box(untrained: Path) -> None:
    chance = np.random.default_rng(5)
    mender = Mender(untrained)
    canvas = mender.canvas(picture(chance))
    box = Box(x=0.2, y=0.1, width=0.5, height=0.6)
    marks: list[Mark] = [box]
    after = mender.mend(canvas, np.ones(canvas.shape, np.bool_), marks)
    assert not (after & ~box.covers(canvas.shape)).any()


def test_a_mask_of_another_size_is_refused(untrained: Path) -> None:
    canvas = Canvas((4, 5), np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((SIDE, SIDE), np.float32))
    with pytest.raises(ValueError, match="mask of"):
        Mender(untrained).mend(canvas, np.zeros((5, 4), np.bool_), ())


def test_weights_are_read_as_they_were_written(untrained: Path) -> None:
    again = untrained.with_name("again.safetensors")
    save_click_network(again, load_click_network(untrained), {"steps": 0})
    assert again.read_bytes() == untrained.read_bytes()


def test_other_files_are_no_click_network(tmp_path: Path, untrained: Path) -> None:
    from sinet.bundled import BUNDLED

    for file in (tmp_path / "missing", Path(__file__), BUNDLED["sinet:bundled"]):
        with pytest.raises(CheckpointError):
            load_click_network(file)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(untrained.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut off"):
        load_click_network(cut)


def test_masks_of_any_size_and_shape(untrained: Path) -> None:
    mender = Mender(untrained)
    for shape in ((1, 1), (3, 700), (257, 256)):
        canvas = mender.canvas(np.zeros((*shape, 3), np.uint8))
        mask: Mask = np.ones(shape, np.bool_)
        after = mender.mend(canvas, mask, [Click(x=0.5, y=0.5, positive=False)])
        assert after.shape == shape
        assert not after[Click(x=0.5, y=0.5, positive=False).pixel(shape)]
