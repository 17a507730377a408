"""Views of an image: asked about, and their mean as a network of its own."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.networks import (
    check_network,
    check_trainable,
    load_network,
    load_person_model,
    parse_network,
    second_opinion,
)
from pipelines.networks.fake import FakeTeacher
from pipelines.networks.loading import notes
from pipelines.networks.mean import MeanTeacher
from pipelines.networks.names import whole_name
from pipelines.networks.views import ViewedModel, Views, middle, probability_views
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import TeacherSettings


def test_views_come_in_one_call_and_in_place() -> None:
    calls = []

    class Recording(FakeTeacher):
        def person_probability(self, batch):  # type: ignore[no-untyped-def]
            calls.append(len(batch))
            return super().person_probability(batch)

    chance = np.random.default_rng(1)
    crops = [chance.integers(0, 255, size, np.uint8) for size in ((80, 60, 3), (41, 33, 3))]
    teacher = Recording()
    views = probability_views(teacher.person_probability, crops)
    assert calls == [8]
    for crop, seen in zip(crops, views, strict=True):
        assert np.array_equal(seen.plain, teacher.person_probability([crop])[0])
        assert seen.mirrored.shape == seen.smaller.shape == crop.shape[:2]
        assert seen.larger.shape == crop[middle(crop.shape)].shape[:2]


def test_views_of_a_teacher_of_pixels_agree() -> None:
    """A teacher that looks at each pixel alone says the same in every view: all is in place."""

    class Pixelwise:
        name = "pixelwise"

        def person_probability(self, batch):  # type: ignore[no-untyped-def]
            return [image[..., 0].astype(np.float32) / 255 for image in batch]

    crop = np.random.default_rng(2).integers(0, 255, (90, 71, 3), np.uint8)
    (views,) = probability_views(Pixelwise().person_probability, [crop])
    assert np.array_equal(views.plain, views.mirrored)
    assert np.array_equal(views.plain, views.smaller)
    assert np.array_equal(views.plain[middle(crop.shape)], views.larger)


def test_the_mean_of_views_is_of_all_that_saw_a_pixel() -> None:
    crop = np.zeros((40, 32), np.float32)
    inside = np.full_like(crop[middle(crop.shape)], 1)
    found = Views(crop + 0.3, crop, crop, inside).mean()
    assert found[0, 0] == pytest.approx(0.1)
    assert found[20, 16] == pytest.approx(1.3 / 4)


def test_a_real_network_by_views(astronaut: np.ndarray) -> None:
    small = np.ascontiguousarray(astronaut[:300, 100:400])
    alone = load_network(parse_network("sinet:bundled"), device="cpu")
    viewed = load_network(parse_network("views:sinet:bundled"), device="cpu")
    said = viewed.person_probability([astronaut, small])
    for image, found in zip((astronaut, small), said, strict=True):
        (views,) = probability_views(alone.person_probability, [image])
        assert found.dtype == np.float32
        assert np.array_equal(found, views.mean())
        assert not np.array_equal(found, views.plain)
    assert viewed.name == f"views:{alone.name}"
    model = load_person_model(parse_network("views:sinet:bundled"), device="cpu")
    assert isinstance(model, ViewedModel)
    assert model.parameters == 86_910
    assert np.allclose(model.person_at_input(small), said[1], atol=1e-6)
    assert notes(model, parse_network("views:sinet:bundled")) == []


def test_views_of_one_network_of_a_mean(astronaut: np.ndarray) -> None:
    mean = load_network(parse_network("bundled, views:sinet:bundled"), device="cpu")
    assert isinstance(mean, MeanTeacher)
    mean.person_probability([astronaut])
    ((plain, viewed),) = mean.opinions
    for name, found in (("bundled", plain), ("views:sinet:bundled", viewed)):
        alone = load_network(parse_network(name), device="cpu")
        assert np.array_equal(alone.person_probability([astronaut])[0], found)


def test_names_keep_their_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = parse_network("views:onnx:a.onnx,sinet:bundled")
    assert str(found) == "views:onnx:a.onnx,sinet:bundled"
    assert found.label == "a.onnx by views, sinet:bundled"
    assert [each.recorded for each in found.each] == ["views:onnx:a.onnx", "sinet:bundled"]
    assert whole_name(found) == f"views:onnx:{tmp_path}/a.onnx,sinet:bundled"
    assert parse_network(whole_name(found)).each[0].views
    assert found.at(320).each[0].label == "a.onnx at 320 by views"
    assert str(parse_network("views:sinet:current")) == "views:sinet:current"


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("views:", "unknown network ''"),
        ("views:sinet:bundeld", "did you mean sinet:bundled"),
        ("views:views:bundled", "unknown network 'views:bundled'"),
        ("views:bundled,views:bundled", "views:bundled is there twice"),
        ("views:gone.onnx", "gone.onnx: no such ONNX file"),
    ],
)
def test_views_of_nothing(name: str, pattern: str) -> None:
    with pytest.raises(ModelError, match=pattern):
        check_network(parse_network(name))


def test_a_mean_of_views_has_no_weights_to_go_on_from() -> None:
    with pytest.raises(ModelError, match="views:sinet:bundled: a mean of views, but --init takes"):
        check_trainable(parse_network("views:sinet:bundled"), "--init")


def test_a_networks_views_are_no_second_opinion_of_its_masks() -> None:
    for teacher, second in (("views:bundled", "bundled"), ("bundled", "views:bundled")):
        assert second_opinion(TeacherSettings(name=teacher, second_opinion=second)) is None
