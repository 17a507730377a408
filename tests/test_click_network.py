"""The example that trains the click network, and the benchmark that counts clicks, run small."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import clicks
from examples.click_network import data, train
from sinet.bundled import BUNDLED
from sinet.clicks.mending import Mender
from sinet.data.reading import read_sample
from sinet.models import load_person_model
from tests.dataengine.training_data import make_data


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> data.Pixels:
    folder = make_data(tmp_path_factory.mktemp("data"))
    guess = load_person_model(BUNDLED["sinet:bundled"])
    out = folder / "kept"
    made = data.load(data.Source(folder, None), guess, 0.0, out)
    assert np.array_equal(made, data.load(data.Source(folder, None), guess, 0.0, out))
    assert len(list(out.iterdir())) == 1, "made once"
    return made


def test_what_is_kept(kept: data.Pixels) -> None:
    assert kept.shape == (8, data.KEPT_PX, data.KEPT_PX, 6)
    assert kept.dtype == np.uint8
    truth = kept[..., data.TRUTH]
    assert 0.05 < (truth > 127).mean() < 0.95


def test_val_is_never_learnt_from(kept: data.Pixels) -> None:
    assert len(kept) == 8, "twelve less the four of the split val"


def test_pictures_and_masks_are_turned_together(kept: data.Pixels) -> None:
    for seed in range(4):
        seen = data.augmented(kept[0], 96, np.random.default_rng(seed))
        assert seen.shape == (96, 96, 6)
        inside = seen[..., data.TRUTH] > 200
        bright = seen[..., data.PICTURE].mean(axis=2)
        assert bright[inside].mean() > bright[seen[..., data.TRUTH] < 50].mean()


def test_training_goes_on_where_it_was_and_teaches(
    kept: data.Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "SIDES", ((1.0, 64),))
    monkeypatch.setattr(train, "POOL", 16)
    monkeypatch.setattr(train, "SAVED_STEPS", 3)
    train.train([kept], [1.0], tmp_path, 3, 0)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 3
    train.train([kept], [1.0], tmp_path, 12, 0)
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [int(row[0]) for row in rows] == [3, 6, 9, 12]
    assert float(rows[-1][3]) < float(rows[0][3])
    Mender(tmp_path / "last.safetensors")


def test_the_benchmark_counts(tmp_path: Path) -> None:
    found = {
        "val": {
            "teacher/network": {"a": [0.9, 0.96, 0.98], "b": [0.96, 0.97]},
            "teacher/grabcut": {"a": [0.9] * 21},
        }
    }
    assert clicks.needed([0.9, 0.96], 0.95) == 1
    assert clicks.needed([0.9, 0.96], 0.97) == clicks.MOST
    lines = clicks.table(json.loads(json.dumps(found))).splitlines()
    assert "| val | teacher | grabcut | 1 | 20.00 | 20.00 | 1 |" in lines
    assert "| val | teacher | network | 2 | 0.50 | 1.50 | 0 |" in lines
    assert "| val | teacher | network, the same images | 1 | 1.00 | 2.00 | 0 |" in lines


def test_clicks_and_strokes_repair_a_mask(tmp_path: Path) -> None:
    from sinet.data import find_samples

    (sample, *_) = find_samples(make_data(tmp_path), "val")
    picture = read_sample(sample)
    truth = picture.mask.astype(np.bool_)
    spoilt = truth.copy()
    spoilt[:, : spoilt.shape[1] // 2] = False
    case = clicks.Case("a", picture.image, truth, spoilt)
    strokes = clicks.by_strokes(case, spoilt)
    assert strokes == sorted(strokes)
    assert strokes[-1] >= clicks.GOALS[-1]
    perfect = clicks.by_clicks(case, spoilt, lambda mask, marks: truth)
    assert perfect == [strokes[0], 1.0]
    by_grabcut = clicks.grabcut(picture.image, spoilt, [clicks.Click(x=0.4, y=0.6, positive=True)])
    assert by_grabcut.shape == truth.shape
