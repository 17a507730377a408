"""Several networks as one teacher."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataengine.cli import app
from pipelines.masks.judging import looks
from pipelines.networks import check_teacher, load_network, load_teacher, parse_network
from pipelines.networks.mean import MeanTeacher
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import OnnxSettings, TeacherSettings

BOTH = TeacherSettings(name="bundled, sinet:bundled")


def test_the_mean_of_two_real_networks(astronaut: np.ndarray) -> None:
    mean = load_teacher(BOTH, "cpu")
    assert isinstance(mean, MeanTeacher)
    small = np.ascontiguousarray(astronaut[:300, 100:400])
    said = mean.person_probability([astronaut, small])
    alone = [
        load_network(parse_network(name), device="cpu") for name in ("bundled", "sinet:bundled")
    ]
    for image, found, opinions in zip((astronaut, small), said, mean.opinions, strict=True):
        expected = [each.person_probability([image])[0] for each in alone]
        assert np.array_equal(opinions, expected)
        assert found.dtype == np.float32
        assert np.allclose(found, np.mean(expected, axis=0), atol=1e-6)
    assert mean.name == f"mean of {alone[0].name} and {alone[1].name}"


@pytest.mark.parametrize("views", [False, True])
def test_opinions_belong_to_the_crops_as_they_are(astronaut: np.ndarray, views: bool) -> None:
    mean = load_teacher(BOTH, "cpu")
    small = np.ascontiguousarray(astronaut[:300, 100:400])
    said = looks([astronaut, small], mean, views=views)
    for image, look in zip((astronaut, small), said, strict=True):
        assert [each.shape for each in look.opinions] == [image.shape[:2]] * 2
        assert np.allclose(np.mean(look.opinions, axis=0), look.probability, atol=1e-6)
    single = load_network(parse_network("sinet:bundled"), device="cpu")
    assert [each.opinions for each in looks([small], single, views=views)] == [()]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("bundled,bundled", "bundled is there twice"),
        ("bundled,", "unknown network ''"),
        ("bundled,sinet:bundeld", "did you mean sinet:bundled"),
    ],
)
def test_names_that_are_no_teacher(name: str, pattern: str) -> None:
    with pytest.raises(ModelError, match=pattern):
        check_teacher(TeacherSettings(name=name))


def test_one_sections_words_are_not_said_of_two_files(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).touch()
    both = f"{tmp_path}/a.onnx,{tmp_path}/b.onnx"
    check_teacher(TeacherSettings(name=both))
    with pytest.raises(ModelError, match=r"\[teacher.onnx\] is about one exported network"):
        check_teacher(TeacherSettings(name=both, onnx=OnnxSettings(person_index=1)))


def test_ingested_masks_keep_each_opinion(astronaut: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(astronaut).save(tmp_path / "photo.jpg", quality=95)
    workspace = ["-w", str(tmp_path / "workspace")]
    run = CliRunner().invoke
    told = run(app, [*workspace, "ingest", str(tmp_path / "photo.jpg"), "--teacher", BOTH.name])
    assert told.exit_code == 0, told.output
    (portrait,) = json.loads(run(app, [*workspace, "list", "--json"]).stdout)
    assert 0 < portrait["scores"]["opinion_1"] < 0.5
    assert 0 < portrait["scores"]["opinion_2"] < 0.5
    Path(portrait["mask_path"]).unlink()
    repaired = run(app, [*workspace, "verify", "--repair"])
    assert "1 blob" in repaired.output, repaired.output
    assert Path(portrait["mask_path"]).is_file()
