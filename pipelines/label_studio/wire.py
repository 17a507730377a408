"""What we send to Label Studio, and what the SDK read for us: plain functions, without network.

What people submitted is read by `foreign`.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.label_studio.gateway import NewTask, ServerProject
from pipelines.label_studio.screen import IMAGE, MASK, MODEL_VERSION, PORTRAIT, SAMPLE_ID

_PIXELS_TO_CHECK = 8


def task_json(task: NewTask) -> dict[str, Any]:
    """A task with its mask as a prediction, as it is imported."""
    region = {
        "id": MASK,
        "from_name": MASK,
        "to_name": IMAGE,
        "type": "brushlabels",
        "original_width": task.mask.width,
        "original_height": task.mask.height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": task.mask.rle, "brushlabels": [PORTRAIT]},
    }
    return {
        "data": {IMAGE: task.image_url, SAMPLE_ID: task.key},
        # No score: reviewers shall not see how sure anybody was.
        "predictions": [{"model_version": MODEL_VERSION, "result": [region]}],
    }


def without_pixels(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """A prediction of ours with a stub of its mask.

    What can be wrong are names, sizes and types. The mask is our encoder's, and looking at each of
    its numbers takes the SDK longer than everything else.
    """
    stubs = []
    for region in prediction["result"]:
        value = region["value"]
        stubs.append({**region, "value": {**value, "rle": list(value["rle"][:_PIXELS_TO_CHECK])}})
    return {**prediction, "result": stubs}


def project(raw: Any) -> ServerProject:
    """A project of the SDK's."""
    return ServerProject(
        id=raw.id,
        title=str(raw.title),
        config=str(raw.label_config),
        model_version=raw.model_version or None,
        shows_predictions=bool(raw.show_collab_predictions),
        description=str(raw.description or ""),
    )
