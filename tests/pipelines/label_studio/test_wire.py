"""What we send, and the labeling config that answers are read from."""

from pipelines.label_studio import wire
from pipelines.label_studio.gateway import Brush, NewTask
from pipelines.label_studio.screen import labeling_config, missing_from


def test_a_task_holds_nothing_but_image_key_and_mask() -> None:
    task = wire.task_json(NewTask("k", "/data/x.jpg", Brush([0] * 100, 4, 3)))
    assert task["data"] == {"image": "/data/x.jpg", "sample_id": "k"}
    (prediction,) = task["predictions"]
    assert set(prediction) == {"model_version", "result"}
    (stub,) = wire.without_pixels(prediction)["result"]
    (region,) = prediction["result"]
    assert len(region["value"]["rle"]) == 100, "the original is untouched"
    assert stub == {**region, "value": {**region["value"], "rle": [0] * 8}}


def test_the_labeling_config_offers_what_answers_are_read_from() -> None:
    assert missing_from(labeling_config()) == []
    restyled = labeling_config().replace("Accept", "Good").replace("#00e5ff", "red")
    assert missing_from(restyled) == []
