"""A run whose masks are all empty says what is probably wrong."""

from collections.abc import Sequence

import numpy as np
import pytest

from pipelines.networks import parse_network
from pipelines.networks.base import Image, Probability
from pipelines.networks.emptiness import Watched, emptiness

ONNX, SINET = parse_network("onnx:a/x.onnx"), parse_network("sinet:bundled")


def test_only_where_all_are_empty() -> None:
    assert emptiness([ONNX], 0, 0) is None
    assert emptiness([ONNX], 3, 2) is None
    said = emptiness([ONNX], 1200, 1200)
    assert said is not None
    assert said.startswith("all 1,200 masks of x.onnx are empty: ")
    for cause in ("mean, std", "channel_order", "person_index", "[teacher.onnx]"):
        assert cause in said
    only = emptiness([SINET], 1, 1)
    assert only is not None
    assert only.startswith("the only mask of sinet:bundled is empty: ")
    assert "mean" not in only


@pytest.mark.parametrize(("highest", "warns"), [(0.5, True), (0.6, False)])
def test_a_watched_model_answers_as_it_did(highest: float, warns: bool) -> None:
    class Constant:
        parameters = 3

        def person_at_input(self, image: Image) -> Probability:
            return np.full(image.shape[:2], highest, np.float32)

        def people_at_input(self, images: Sequence[Image]) -> list[Probability]:
            return [self.person_at_input(image) for image in images]

    watched = Watched(Constant(), ONNX)
    images = [np.zeros((4, side, 3), np.uint8) for side in (3, 5)]
    assert watched.parameters == 3
    assert [each.shape for each in watched.people_at_input(images)] == [(4, 3), (4, 5)]
    assert watched.person_at_input(images[0]).max() == np.float32(highest)
    assert (watched.warning is not None) == warns
    if warns:
        assert str(watched.warning).startswith("all 3 masks")
