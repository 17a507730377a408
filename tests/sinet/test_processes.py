"""Two real processes train as one does: order, losses, a kill, and going on."""

import os
import shutil
import signal

import psutil
import pytest
import torch
from torch import distributed
from torch.multiprocessing import start_processes

from sinet.data import Augmentation, AugmentedSamples, Batch, Batches, PixelCache
from sinet.data.batches import Share
from sinet.errors import ConfigError, DeviceError, TrainingError
from sinet.losses import IGNORED, LossWeights
from sinet.networks import build_network
from sinet.normalisation import InputSpec
from sinet.training import Run, TrainingConfig, train, train_in_processes
from sinet.training.launching import check_processes
from sinet.training.learner import Learner
from sinet.training.records import read_log
from sinet.training.run import save_state
from tests.sinet.test_training import SMALL, STILL

# Rounding grows with every step of a network that has learnt nothing yet: these are small.
TWO = SMALL.model_copy(
    update={
        "epochs": 2,
        "early_side_px": None,
        "also_sides_px": (),
        "optimiser": "sgd",
        "learning_rate": 1e-4,
    }
)
ALL_LOSSES = {
    "sinet": LossWeights(coarse=0.4, jaccard=0.3, lovasz=0.2),
    "portraitnet": LossWeights(edge=1, perturbed=1, consistency=1),  # draws colours by chance
    "fastscnn": LossWeights(),  # has dropout
}


def test_two_processes_are_one_and_go_on_after_a_kill(portraits, tmp_path):
    """Killed in the second of three epochs, and gone on with by two and by one."""
    samples, held_out = portraits, portraits[:3]
    train(TWO, samples, tmp_path / "one", held_out=held_out)

    def kill(record, _):
        if record.epoch == 1:
            ranks = [each for each in psutil.Process().children(recursive=True) if _is_rank(each)]
            os.kill(max(ranks, key=lambda each: each.pid).pid, signal.SIGKILL)

    run = Run(
        config=TWO,
        samples=samples,
        out=tmp_path / "two",
        held_out=held_out,
        device="cpu",
        save_every_s=0,
    )
    with pytest.raises(TrainingError, match=r"process \d of 2 was killed \(SIGKILL") as caught:
        train_in_processes(run, 2, kill)
    assert "\n" not in str(caught.value)
    state = torch.load(tmp_path / "two" / "resume.pt", weights_only=True)
    assert state["epoch"] >= 1
    shutil.copytree(tmp_path / "two", tmp_path / "alone")
    one = read_log(tmp_path / "one")
    for count, name in ((2, "two"), (1, "alone")):
        told = []
        resumed = Run(**{**vars(run), "resume": True, "out": tmp_path / name})
        train_in_processes(
            resumed, count, lambda record, total, to=told: to.append((record.epoch, total))
        )
        assert told[-1] == (3, 3)
        went_on = read_log(tmp_path / name)
        assert [each.loss for each in went_on] == pytest.approx(
            [each.loss for each in one], abs=1e-4
        )
        assert went_on[-1].held_out_iou == pytest.approx(one[-1].held_out_iou, abs=0.02)


def _is_rank(process):
    return any("forkserver" in word for word in process.parent().cmdline())


def test_gradients_are_those_of_the_whole_batch(tmp_path):
    """In double precision, where rounding hides nothing: of every loss, and of the second step."""
    learn_twice(0, 1, tmp_path)
    start_processes(learn_twice, (2, tmp_path), nprocs=2, start_method="forkserver")
    for model in ALL_LOSSES:
        one, two = (torch.load(tmp_path / f"{model}-{count}.pt") for count in (1, 2))
        assert one["losses"] == pytest.approx(two["losses"], abs=1e-6)
        assert one["losses"][0] != pytest.approx(one["losses"][1], abs=1e-6)
        torch.testing.assert_close(one["gradients"], two["gradients"], rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(one["state"], two["state"], rtol=1e-9, atol=1e-11)


def learn_twice(rank, count, folder):
    """Two steps of each network, from this process's part of a batch; the first one writes."""
    torch.set_num_threads(1)
    if count > 1:
        store = f"file://{folder}/store"
        distributed.init_process_group("gloo", store, rank=rank, world_size=count)
    chance = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (4, 3, 64, 64), generator=chance, dtype=torch.uint8)
    labels = (torch.rand((4, 64, 64), generator=chance) > 0.6).to(torch.uint8)
    labels[0, :20] = IGNORED
    labels[1] = 0
    own = slice(rank * 4 // count, (rank + 1) * 4 // count)
    for model, losses in ALL_LOSSES.items():
        options = {"edge_head": True} if model == "portraitnet" else {}
        config = TWO.model_copy(update={"losses": losses, "ema_decay": 0.5})
        torch.manual_seed(0)
        learner = Learner(build_network(model, 2, options).double(), config)
        learner.network.train()
        batch = Batch(images[own], labels[own], None, ())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(InputSpec, "normalise", lambda _, pixels: pixels.double() / 128 - 1)
            told = [learner.step(batch, 1e-3, encoder_only=False) for _ in range(2)]
        parameters = learner.network.named_parameters()
        found = {
            "losses": told,
            "gradients": {name: each.grad for name, each in parameters if each.grad is not None},
            "state": {**learner.network.state_dict(), **learner.state()["average"]},
        }
        if rank == 0:
            torch.save(found, folder / f"{model}-{count}.pt")
    if count > 1:
        distributed.destroy_process_group()


def test_the_parts_of_a_batch_are_the_batch(portraits):
    """Whatever the number of processes: the order, and every sample's pixels."""

    def batches(share):
        how = Augmentation(background_probability=0.5)
        samples = AugmentedSamples(PixelCache(portraits, 60), how, seed=1)
        return list(Batches(samples, 4, seed=1, share=share).epoch(2, 32))

    whole = batches(Share())
    for count in (2, 4):
        parts = [batches(Share(rank, count)) for rank in range(count)]
        for step, batch in enumerate(whole):
            assert batch.names == tuple(name for part in parts for name in part[step].names)
            images = torch.cat([part[step].images for part in parts])
            assert torch.equal(batch.images, images)


@pytest.mark.parametrize("model", ["sinet", "fastscnn"])  # fastscnn has dropout
def test_a_run_goes_on_within_an_epoch(portraits, tmp_path, monkeypatch, model):
    """Exactly: to the same bits as without the interruption."""
    config = SMALL.model_copy(update={"model": model, "batch": 2, "augmentation": STILL})
    if model != "sinet":
        changes = {"encoder_epochs": 0, "losses": LossWeights()}
        config = config.model_copy(update=changes)
    straight = train(config, portraits, tmp_path / "straight")
    stopped = KeyboardInterrupt()
    saved = []

    def save(out, state):
        save_state(out, state)
        saved.append((state["epoch"], len(state["losses"])))
        if len(saved) == 7:
            raise stopped

    monkeypatch.setattr("sinet.training.run.save_state", save)
    with pytest.raises(KeyboardInterrupt):
        train(config, portraits, tmp_path / "broken", save_every_s=0)
    assert saved[-1][1] > 0
    train(config, portraits, tmp_path / "broken", save_every_s=0, resume=True)
    expected, found = (
        torch.load(tmp_path / name / "resume.pt", weights_only=True)
        for name in ("straight", "broken")
    )
    assert straight.read_bytes() == (tmp_path / "broken" / straight.name).read_bytes()
    losses = [[record["loss"] for record in each["records"]] for each in (expected, found)]
    assert losses[0] == losses[1]


def test_processes_that_cannot_share(portraits, tmp_path, monkeypatch):
    config = TrainingConfig(encoder_epochs=0, batch=24)
    check_processes(3, config, "cpu")
    with pytest.raises(ConfigError, match=r"batch is 24, which 5 .*: take 2 or 3 or 4 or 6"):
        check_processes(5, config, "cpu")
    with pytest.raises(ConfigError, match="encoder_batch is 36, which 8 processes cannot"):
        check_processes(8, TrainingConfig(), "cpu")
    monkeypatch.setattr("sinet.training.launching.choose_device", lambda _: "cuda")
    monkeypatch.setattr("sinet.training.launching.gpu_count", lambda: 1)
    with pytest.raises(DeviceError, match="2 processes need a GPU each, and here are 1"):
        check_processes(2, config, "auto")
    monkeypatch.undo()
    few = Run(config=SMALL, samples=portraits[:3], out=tmp_path / "few", device="cpu")
    with pytest.raises(ConfigError, match="3 images make one batch, which 2 processes cannot"):
        train_in_processes(few, 2)
