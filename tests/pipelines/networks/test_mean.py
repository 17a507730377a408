"""Several networks as one teacher."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataengine.cli import app
from pipelines.masks.judging import looks
from pipelines.networks import (
    check_teacher,
    load_network,
    load_person_model,
    load_teacher,
    parse_network,
)
from pipelines.networks.loading import notes, overrides
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
        ("my,net.onnx", "my,net.onnx: a comma stands between .* unknown network 'my'"),
    ],
)
def test_names_that_are_no_teacher(name: str, pattern: str) -> None:
    with pytest.raises(ModelError, match=pattern):
        check_teacher(TeacherSettings(name=name))


def test_the_means_model_says_what_its_teacher_says(astronaut: np.ndarray) -> None:
    network = parse_network(BOTH.name)
    small = np.ascontiguousarray(astronaut[:300, 100:400])
    said = load_teacher(BOTH, "cpu").person_probability([astronaut, small])
    model = load_person_model(network, device="cpu")
    for one, other in zip(model.people_at_input([astronaut, small]), said, strict=True):
        assert one.dtype == np.float32
        assert np.allclose(one, other, atol=1e-6)
    assert np.allclose(model.person_at_input(small), said[1], atol=1e-6)
    alone = [load_person_model(each, device="cpu").parameters for each in network.each]
    assert model.parameters == sum(alone)
    assert notes(model, network) == []
    assert str(network) == "bundled,sinet:bundled"  # as it is understood again


def test_the_settings_words_reach_the_network_they_are_about(tmp_path: Path) -> None:
    said = OnnxSettings(person_index=1)
    mine, other = (parse_network(f"{tmp_path}/{name}.onnx") for name in ("mine", "other"))
    mean = parse_network(f"bundled,{other},{mine}")
    assert overrides(TeacherSettings(name=f"bundled,{mine}", onnx=said), mean) == {mine: said}
    assert overrides(TeacherSettings(onnx=said), parse_network(f"bundled,{mine}")) == {mine: said}
    with pytest.raises(ModelError, match=r"\[teacher.onnx\] is about one exported network"):
        overrides(TeacherSettings(onnx=said), mean)
    assert overrides(None, mean) == {}


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
