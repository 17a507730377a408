"""What servers of several versions say becomes the same dataclasses."""

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.label_studio import wire as wire
from pipelines.label_studio.gateway import Brush, NewTask
from pipelines.label_studio.screen import labeling_config, missing_from

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=2))),
        "2026-05-04T12:00:00Z",
        "2026-05-04T14:00:00+02:00",
        "2026-05-04T12:00:00.000000",
    ],
)
def test_times(value: Any) -> None:
    assert wire.time(value) == NOON
    assert wire.time(value).tzinfo is UTC


def test_an_annotation() -> None:
    region = {"original_width": 4, "original_height": 3, "value": {"format": "rle", "rle": [1]}}
    fields = {
        "id": 7,
        "updated_at": NOON,
        "lead_time": 1.5,
        "was_cancelled": False,
        "result": [
            {"from_name": "decision", "value": {"choices": ["reject"]}},
            {"from_name": "reason", "value": {"choices": ["rough_edge"]}},
            {"from_name": "reason", "value": {"choices": ["bad_photo"]}},
            {"from_name": "comment", "value": {"text": ["one", "two"]}},
            {"from_name": "mask", **region},
            {"from_name": "somebody else's", **region},
            {"from_name": "stars", "value": {"rating": 3}},
        ],
    }
    found = wire.annotation(fields, "ann@example.org")
    assert found.choices == {"decision": ["reject"], "reason": ["rough_edge", "bad_photo"]}
    assert found.comment == "one\ntwo"
    assert found.regions == [Brush([1], 4, 3)]
    assert (found.reviewer, found.seconds, found.skipped) == ("ann@example.org", 1.5, False)


def test_an_empty_annotation() -> None:
    fields = {"id": 7, "updated_at": NOON, "result": None, "was_cancelled": True}
    found = wire.annotation(fields, "ann@example.org")
    assert (found.skipped, found.comment, found.regions, found.choices) == (True, None, [], {})


def test_a_task_holds_nothing_but_image_key_and_mask() -> None:
    task = wire.task_json(NewTask("k", "/data/x.jpg", Brush([0] * 100, 4, 3)))
    assert task["data"] == {"image": "/data/x.jpg", "sample_id": "k"}
    (prediction,) = task["predictions"]
    assert set(prediction) == {"model_version", "result"}
    (stub,) = wire.without_pixels(prediction)["result"]
    (region,) = prediction["result"]
    assert len(region["value"]["rle"]) == 100, "the original is untouched"
    assert stub == {**region, "value": {**region["value"], "rle": [0] * 8}}


@pytest.mark.parametrize("data", [{}, None, {"image": "x"}])
def test_a_task_that_is_not_ours(data: Any) -> None:
    assert wire.key(SimpleNamespace(data=data)) is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"detail": "Invalid token."}, "Invalid token."),
        ("<html>\n  Bad\tGateway", "<html> Bad Gateway"),
        ({"other": 1}, "{'other': 1}"),
    ],
)
def test_a_refusal_is_one_line(body: Any, text: str) -> None:
    assert wire.detail(body) == text


def test_the_labeling_config_offers_what_answers_are_read_from() -> None:
    assert missing_from(labeling_config()) == []
    restyled = labeling_config().replace("Accept", "Good").replace("#00e5ff", "red")
    assert missing_from(restyled) == []
