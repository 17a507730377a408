import csv
import json
import math
import re

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sinet.checkpoint import load_checkpoint
from sinet.data import Augmentation, read_sample
from sinet.errors import CheckpointError, ConfigError, DataError, TrainingError
from sinet.evaluate import HeldOutSet
from sinet.losses import LossWeights
from sinet.networks import SINet
from sinet.normalisation import InputSpec
from sinet.training import (
    OF_THE_MACHINE,
    TrainingConfig,
    load_config,
    train,
    write_soft_masks,
)
from sinet.training.encoder_head import EncoderHead
from sinet.training.learner import Learner
from sinet.training.optimisation import AveragedWeights, build_optimiser, learning_rate
from sinet.training.records import read_log

SMALL = TrainingConfig(
    input=InputSpec(height=64, width=64),
    encoder_epochs=1,
    epochs=3,
    encoder_batch=4,
    batch=4,
    early_side_px=32,
    early_part=0.4,
    also_sides_px=(32, 96),
    ema_decay=0.9,
    losses=LossWeights(coarse=0.4),
    augmentation=Augmentation(rotation_degrees=10, background_probability=0.3),
    cache_px=64,
    workers=0,
    threads=1,
    overlays=2,
)
STILL = Augmentation(
    rotation_degrees=0, scale=(1, 1), translation=0, flip_probability=0, probability=0
)


def tensors(path):
    return load_checkpoint(path).network.state_dict()


@pytest.mark.parametrize("steps", [None, 7])
def test_a_resumed_run_ends_at_the_same_numbers(portraits, tmp_path, steps):
    """Interrupted after the encoder stage, and again in the middle of the second."""
    config = SMALL.model_copy(update={"steps": steps})
    straight = train(config, portraits[:6], tmp_path / "straight", held_out=portraits[6:])
    broken = tmp_path / "broken"
    train(config, portraits[:6], broken, held_out=portraits[6:], stop_after=1)
    train(config, portraits[:6], broken, held_out=portraits[6:], stop_after=2, resume=True)
    resumed = train(config, portraits[:6], broken, held_out=portraits[6:], resume=True)
    expected, found = tensors(straight), tensors(resumed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)

    def numbers(folder):
        with (folder / "log.csv").open() as file:
            return [
                (r["epoch"], r["stage"], r["loss"], r["held_out_iou"]) for r in csv.DictReader(file)
            ]

    assert numbers(tmp_path / "straight") == numbers(broken)
    assert [row[1] for row in numbers(broken)] == ["encoder", "whole", "whole", "whole"]


def test_the_seed_decides(portraits, tmp_path):
    short = SMALL.model_copy(update={"encoder_epochs": 0, "epochs": 1})
    first = tensors(train(short, portraits, tmp_path / "a"))
    again = tensors(train(short, portraits, tmp_path / "b"))
    other = tensors(train(short.model_copy(update={"seed": 1}), portraits, tmp_path / "c"))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["skip.convolution.weight"], other["skip.convolution.weight"])


def test_the_loss_falls_and_what_a_run_writes(portraits, tmp_path):
    config = SMALL.model_copy(
        update={
            "encoder_epochs": 0,
            "epochs": 8,
            "early_side_px": None,
            "augmentation": STILL,
        }
    )
    records = []
    path = train(
        config,
        portraits,
        tmp_path / "run",
        held_out=portraits[:3],
        progress=lambda record, total: records.append((record, total)),
    )
    assert [record.epoch for record, _ in records] == list(range(1, 9))
    assert {total for _, total in records} == {8}
    assert records[-1][0].loss < 0.6 * records[0][0].loss
    folder = tmp_path / "run"
    assert json.loads((folder / "config.json").read_text())["epochs"] == 8
    assert len(list((folder / "overlays").iterdir())) == 8
    board = EventAccumulator(str(folder / "tensorboard"), {"images": 0}).Reload()
    assert [each.step for each in board.Scalars("held_out_iou")] == list(range(1, 9))
    assert [each.step for each in board.Images("held_out")] == list(range(1, 9))
    model = load_checkpoint(path)
    assert model.input == config.input
    assert model.training["epoch"] == 8
    assert TrainingConfig.model_validate(model.training["config"]) == config


def test_a_loss_that_is_no_number_names_the_files(portraits, tmp_path):
    hot = SMALL.model_copy(update={"learning_rate": 1e30, "encoder_epochs": 0, "epochs": 20})
    with pytest.raises(TrainingError, match=r"the loss became \w+ in epoch \d+") as caught:
        train(hot, portraits[:4], tmp_path / "run")
    assert all(sample.name in str(caught.value) for sample in portraits[:4])


def test_a_run_is_not_overwritten_nor_mixed_up(portraits, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(CheckpointError, match="no run to resume"):
        train(SMALL, portraits, out, resume=True)
    train(SMALL, portraits, out, stop_after=1)
    before = (out / "resume.pt").read_bytes()
    with pytest.raises(ConfigError, match="holds a run"):
        train(SMALL, portraits, out)
    with pytest.raises(ConfigError, match="another configuration: seed, batch"):
        train(SMALL.model_copy(update={"batch": 2, "seed": 3}), portraits, out, resume=True)
    with pytest.raises(ConfigError, match="other samples"):
        train(SMALL, portraits[1:], out, resume=True)
    (out / "resume.pt").write_bytes(before[:1000])
    with pytest.raises(CheckpointError, match="cut off or damaged"):
        train(SMALL, portraits, out, resume=True)


@pytest.mark.parametrize(
    "moved", [{"workers": 1}, {"threads": 2, "channels_last": False}], ids=["same", "rounds"]
)
def test_a_run_goes_on_where_it_is_computed_otherwise(portraits, tmp_path, moved):
    assert moved.keys() < OF_THE_MACHINE
    out = tmp_path / "run"
    whole = load_checkpoint(train(SMALL, portraits, tmp_path / "whole"))
    train(SMALL, portraits, out, stop_after=1)
    after = load_checkpoint(train(SMALL.model_copy(update=moved), portraits, out, resume=True))
    assert after.training["epoch"] == whole.training["epoch"]
    if "workers" in moved:
        weights = after.network.state_dict()
        assert all(value.equal(weights[k]) for k, value in whole.network.state_dict().items())


def test_no_samples_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no sample"):
        train(SMALL, [], tmp_path)


def test_a_student_learns_from_a_teachers_masks(portraits, tmp_path):
    """The teacher says the opposite of the labels, which count for nothing here."""
    masks = tmp_path / "soft"

    def teacher(image):
        return (image.max(axis=2) < 110).astype(np.float32)

    assert write_soft_masks(portraits, teacher, masks) == 8
    assert write_soft_masks(portraits, teacher, masks) == 0
    config = SMALL.model_copy(
        update={
            "encoder_epochs": 0,
            "epochs": 12,
            "early_side_px": None,
            "losses": LossWeights(cross_entropy=0, boundary=0, distillation=1),
            "augmentation": STILL,
        }
    )
    with pytest.raises(ConfigError, match="there are no soft masks"):
        train(config, portraits, tmp_path / "run")
    network = load_checkpoint(
        train(config, portraits, tmp_path / "run", soft_masks=masks)
    ).network.train()  # so short a run has no running statistics to evaluate with
    pictures = [read_sample(sample) for sample in portraits]
    inputs = torch.cat([config.input.prepare(picture.image) for picture in pictures])
    with torch.no_grad():
        people = network.training_logits(inputs)[0].softmax(dim=1)[:, 1].numpy()
    truths = np.stack([cv2.resize(picture.mask, (64, 64)) for picture in pictures]) == 1
    assert people[truths].mean() < 0.4
    assert people[~truths].mean() > 0.6


def test_a_deeplab_trains_too(portraits, tmp_path):
    config = SMALL.model_copy(update={"model": "deeplab", "encoder_epochs": 0, "epochs": 1})
    path = train(config, portraits, tmp_path / "run")
    assert load_checkpoint(path).network.name == "deeplab"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"encoder_epochs": 0, "epochs": 0}, "both 0"),
        ({"model": "deeplab"}, "no encoder head"),
        ({"input": {"height": 200, "width": 200}}, "multiple of 32"),
        ({"input": {"height": 224, "width": 256}}, "square"),
        ({"early_side_px": 100}, "multiple of 32"),
        ({"epochs": 9, "steps": 8}, "at least as many"),
        ({"lerning_rate": 1}, "lerning_rate"),
        ({"augmentation": {"rotation": 3}}, "augmentation.rotation"),
    ],
)
def test_a_configuration_that_cannot_work(settings, problem):
    with pytest.raises(ValidationError, match=problem):
        TrainingConfig.model_validate(settings)


def test_every_weight_has_the_decay_of_its_kind():
    config = TrainingConfig(weight_decay=0.3, depthwise_decay=0.2, small_decay=0.1)
    network = SINet()
    decays = {
        id(parameter): group["weight_decay"]
        for group in build_optimiser(network, config).param_groups
        for parameter in group["params"]
    }
    named = dict(network.named_parameters())
    assert len(decays) == len(named)
    for name, decay in {
        "encoder.stem.convolution.weight": 0.3,
        "encoder.eighth.0.reduce.weight": 0.3,  # grouped, but not depthwise
        "encoder.eighth.0.first.pointwise.weight": 0.3,
        "encoder.eighth.0.first.depthwise.weight": 0.2,
        "encoder.to_eighth.depthwise.weight": 0.2,
        "encoder.to_eighth.gate.gate.0.weight": 0.1,
        "encoder.join_eighth.norm.weight": 0.1,
        "encoder.join_eighth.activation.weight": 0.1,
    }.items():
        assert decays[id(named[name])] == decay, name


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("poly", [1, 0.75**0.9, 0.5**0.9, 0.25**0.9]),
        ("cosine", [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5]),
        ("step", [1, 1, 0.5, 0.5]),
    ],
)
def test_schedules_after_the_warm_up(schedule, factors):
    config = TrainingConfig(learning_rate=2.0, schedule=schedule)
    rates = [learning_rate(config, step, 7, 3) for step in range(7)]
    assert rates == pytest.approx([0.5, 1.0, 1.5, *(2 * factor for factor in factors)])


def test_averaged_weights_follow_the_network():
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, 0.0)
    average = AveragedWeights(layer, decay=0.5)
    torch.nn.init.constant_(layer.weight, 1.0)
    found = []
    for _ in range(12):
        average.update(layer)
        found.append(average.values["weight"].item())
    # Early decays are 1/10, 2/11, …; (1 + 8) / (10 + 8) is 0.5 at last.
    assert found[0] == pytest.approx(0.9)
    assert 1 - found[1] == pytest.approx(0.1 * 2 / 11)
    assert 1 - found[-1] < 1e-4


def test_a_run_starts_from_given_weights(portraits, tmp_path):
    """With no learning to speak of they come out as they went in, and the record names them."""
    config = SMALL.model_copy(
        update={"encoder_epochs": 0, "epochs": 2, "ema_decay": None, "learning_rate": 1e-12}
    )
    first = train(SMALL, portraits, tmp_path / "first")
    out = tmp_path / "second"
    train(config, portraits, out, init=first, stop_after=1)
    second = load_checkpoint(train(config, portraits, out, init=first, resume=True))
    expected = tensors(first)
    for name, value in second.network.state_dict().items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=0)
    assert re.fullmatch(r"last\.safetensors@sha256:[0-9a-f]{16}", second.training["init"])
    assert load_checkpoint(first).training["init"] is None


def test_a_run_does_not_start_from_another_network(portraits, tmp_path):
    sinet = train(SMALL, portraits, tmp_path / "sinet", stop_after=1)
    config = SMALL.model_copy(update={"model": "deeplab", "encoder_epochs": 0})
    with pytest.raises(CheckpointError, match=r"last\.safetensors: holds `sinet`, not `deeplab`"):
        train(config, portraits, tmp_path / "deeplab", init=sinet)
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: no such file"):
        train(SMALL, portraits, tmp_path / "other", init=tmp_path / "gone.safetensors")
    assert not (tmp_path / "deeplab").exists()


def test_the_papers_teacher_learns(portraits, tmp_path):
    small = {"epochs": 1, "steps": 2, "batch": 2, "workers": 0, "cache_px": 64, "overlays": 0}
    size = {"input": {"height": 32, "width": 32}, "pretrained": False}
    config = load_config("deeplabv3plus", {**small, **size})
    weights = train(config, portraits, tmp_path / "run", device="cpu")
    network = load_checkpoint(weights).network
    assert (network.name, network.classes) == ("deeplabv3plus", 2)
    (record,) = read_log(tmp_path / "run")
    assert 0 < record.loss < 10


def test_the_best_epoch_is_kept(portraits, tmp_path):
    samples, held_out = portraits[:6], portraits[6:]
    changes = {"encoder_epochs": 0, "epochs": 6, "best_after": 0.5, "learning_rate": 0.05}
    config = SMALL.model_copy(update=changes)
    weights = train(config, samples, tmp_path / "run", held_out=held_out, device="cpu")
    scores = [record.held_out_iou for record in read_log(tmp_path / "run")]
    spec = config.input
    kept = HeldOutSet(held_out, spec).score(load_checkpoint(weights).network)
    assert kept == max(scores[2:])  # epoch 3 is half of 6
    half = tmp_path / "half"
    train(config, samples, half, held_out=held_out, device="cpu", stop_after=4)
    again = train(config, samples, half, held_out=held_out, device="cpu", resume=True)
    assert HeldOutSet(held_out, spec).score(load_checkpoint(again).network) == kept
    with pytest.raises(ConfigError, match="best_after chooses by what is held out"):
        train(config, samples, tmp_path / "none", device="cpu")


def test_the_encoder_s_best_epoch_is_what_the_whole_begins_with(portraits, tmp_path, monkeypatch):
    samples, held_out = portraits[:6], portraits[6:]
    stages = {"encoder_epochs": 8, "epochs": 1, "best_after": 0.25, "learning_rate": 0.1}
    config = SMALL.model_copy(update=stages)
    run = tmp_path / "run"
    weights = train(config, samples, run, held_out=held_out, device="cpu", stop_after=8)
    scores = [record.held_out_iou for record in read_log(run)]
    best = load_checkpoint(weights).network
    assert HeldOutSet(held_out, config.input).score(EncoderHead(best)) == max(scores[2:])
    state = torch.load(run / "resume.pt", weights_only=True)
    assert state["best_score"] == max(scores[2:]) != scores[-1]
    began: list[dict[str, torch.Tensor]] = []
    begin = Learner.begin_stage

    def begun(learner, given):
        begin(learner, given)
        began.append({k: v.clone() for k, v in learner.network.state_dict().items()})

    monkeypatch.setattr(Learner, "begin_stage", begun)
    train(config, samples, run, held_out=held_out, device="cpu", resume=True)
    parameters = dict(best.named_parameters())
    assert all(torch.equal(began[0][name], each) for name, each in parameters.items())
    last = read_log(run)[-1]
    assert (last.stage, math.isnan(last.held_out_iou)) == ("whole", False)
