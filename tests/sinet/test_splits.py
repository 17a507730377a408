"""What is trained on, and what is scored."""

import pytest

from sinet.data import evaluation_samples, training_samples
from sinet.errors import DataError


@pytest.fixture
def folder(tmp_path, write_portrait):
    for number in range(4):
        write_portrait(tmp_path / "data", f"p{number}", number)
    return tmp_path / "data"


def names(samples):
    return [sample.name for sample in samples]


def test_the_list_is_trained_on(folder):
    (folder / "train.txt").write_text("p2\np0\n")
    assert names(training_samples(folder)) == ["p2", "p0"]


def test_without_one_everything_but_what_is_set_aside(folder):
    assert len(training_samples(folder)) == 4
    (folder / "val.txt").write_text("p0\n")
    (folder / "test.txt").write_text("p3\n")
    assert names(training_samples(folder)) == ["p1", "p2"]


def test_folders_are_splits_too(tmp_path, write_portrait):
    write_portrait(tmp_path / "data/train", "a", 0)
    write_portrait(tmp_path / "data/val", "b", 1)
    assert names(training_samples(tmp_path / "data")) == ["a"]
    split, samples = evaluation_samples(tmp_path / "data")
    assert (split, names(samples)) == ("val", ["b"])


def test_what_is_scored(folder):
    assert evaluation_samples(folder)[0] == "all"
    (folder / "val.txt").write_text("p1\n")
    assert names(evaluation_samples(folder)[1]) == ["p1"]
    assert len(evaluation_samples(folder, "all")[1]) == 4
    with pytest.raises(DataError, match=r"neither test\.txt nor a folder test"):
        evaluation_samples(folder, "test")
