"""Data sets in tar archives are read where they lie; large ones do not fill the memory."""

import io
import tarfile
import tracemalloc

import cv2
import numpy as np
import pytest

from sinet.data import (
    Augmentation,
    AugmentedSamples,
    Batches,
    PixelCache,
    find_samples,
    has_split,
    read_sample,
    training_samples,
)
from sinet.data.checking import check_masks
from sinet.data.kept import Kept
from sinet.errors import DataError
from sinet.evaluate import HeldOutSet
from sinet.networks import SINet
from sinet.normalisation import InputSpec


def write_shard(path, files):
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.fixture
def sharded(portraits, tmp_path):
    """The eight portraits, six of them in two shards of `train`, two in one of `val`."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for name, part in (
        ("train-000000", portraits[:3]), ("train-000001", portraits[3:6]),
        ("val-000000", portraits[6:]),
    ):  # fmt: skip
        files = {}
        for each in part:
            files[f"{each.name}.png"] = each.image.read_bytes()
            files[f"{each.name}.mask.png"] = each.mask.read_bytes()
            files[f"{each.name}.json"] = b"{}"
        write_shard(folder / f"{name}.tar", files)
    return folder


def test_shards_are_a_data_set_like_any_other(portraits, sharded):
    assert [each.name for each in find_samples(sharded)] == [each.name for each in portraits]
    assert has_split(sharded, "val")
    assert not has_split(sharded, "test")
    train = training_samples(sharded)
    assert [each.name for each in train] == [each.name for each in portraits[:6]]
    for plain, packed in zip(portraits, train, strict=False):
        expected, found = read_sample(plain), read_sample(packed)
        assert np.array_equal(expected.image, found.image)
        assert np.array_equal(expected.mask, found.mask)
    assert sum(check_masks(train).values()) == 6
    with pytest.raises(DataError, match=r"has neither test\.txt nor a folder test"):
        find_samples(sharded, "test")


def test_batches_of_shards_are_those_of_the_folder(portraits, sharded):
    def batches(samples):
        how = Augmentation(background_probability=0.5)
        return Batches(AugmentedSamples(PixelCache(samples, 60), how, 1), 3, 1, workers=2)

    pairs = zip(
        batches(portraits[:6]).epoch(1, 32),
        batches(training_samples(sharded)).epoch(1, 32),
        strict=True,
    )
    for folder, shards in pairs:
        assert folder.names == shards.names
        assert (folder.images == shards.images).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda files: files.pop("a.mask.png"), "a has no mask: a.jpg, a.mask.png"),
        (lambda files: files.pop("a.jpg"), "a has no picture"),
        (lambda files: files.update({"x/b.jpg": b"1"}), "x/b.jpg: b comes twice"),
        (lambda files: files.update({"../b.mask.png": b"1"}), "b comes twice"),
    ],
)
def test_shards_that_do_not_fit(tmp_path, change, problem):
    files = {"a.jpg": b"1", "a.mask.png": b"2", "b.jpg": b"3", "b.mask.png": b"4"}
    change(files)
    write_shard(tmp_path / "train-0.tar", files)
    with pytest.raises(DataError, match=problem):
        find_samples(tmp_path, "train")


def test_broken_archives_are_named(sharded):
    archive = sharded / "train-000001.tar"
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"train-000001\.tar: (cut off|no tar archive)"):
        find_samples(sharded, "train")
    archive.write_bytes(b"\x1f\x8b no tar")
    with pytest.raises(DataError, match=r"train-000001\.tar: no tar archive that can be read"):
        find_samples(sharded, "train")


def test_what_is_not_kept_is_made_again(portraits):
    made = []

    def make(sample):
        made.append(sample.name)
        return sample.name.encode()

    kept = Kept(portraits, make, len, most_bytes=7)  # each has two
    assert len(made) == 4
    assert list(kept) == [each.name.encode() for each in portraits]
    assert len(made) == 4 + 5
    assert kept[0] is kept[0]


def test_the_held_out_score_does_not_depend_on_what_is_kept(portraits, monkeypatch):
    network = SINet().eval()
    scores = set()
    for most in (0, 20_000, 1 << 30):
        monkeypatch.setattr("sinet.evaluate._HELD_BYTES", most)
        held_out = HeldOutSet(portraits, InputSpec(height=64, width=64))
        assert len(held_out.pictures(3)) == 3
        scores.add(held_out.score(network))
    assert len(scores) == 1


def test_memory_does_not_grow_with_the_pictures(tmp_path, monkeypatch):
    """A cache of 40 of them, data sets of 60 and of 600: one epoch each."""
    encoded = cv2.imencode(".png", np.full((64, 64, 3), 90, np.uint8))[1].tobytes()
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 255
    masked = cv2.imencode(".png", mask)[1].tobytes()
    monkeypatch.setattr("sinet.data.kept.MOST_BYTES", 40 * 64 * 64 * 4)

    def peak(count):
        folder = tmp_path / str(count)
        folder.mkdir()
        names = [f"p{number}" for number in range(count)]
        files = {f"{name}.png": encoded for name in names}
        files |= {f"{name}.mask.png": masked for name in names}
        write_shard(folder / "train-0.tar", files)
        samples = find_samples(folder)
        tracemalloc.start()
        cache = PixelCache(samples, 64)
        for _ in Batches(AugmentedSamples(cache, Augmentation(), 0), 4, 0).epoch(0, 32):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    of_a_picture = 64 * 64 * 4
    assert peak(600) - peak(60) < 0.05 * 540 * of_a_picture
