"""Between Label Studio's JSON and our own dataclasses: plain functions, without network or SDK."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipelines.label_studio.gateway import Annotation, Brush, FoundTask, NewTask, ServerProject
from pipelines.label_studio.screen import COMMENT, IMAGE, MASK, MODEL_VERSION, PORTRAIT, SAMPLE_ID

_MAX_DETAIL = 300
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


def annotation(fields: Mapping[str, Any], reviewer: str) -> Annotation:
    """What somebody submitted.

    Args:
        fields: as the server lists it.
        reviewer: who did.
    """
    choices: dict[str, list[str]] = {}
    comments: list[str] = []
    regions = []
    for result in fields.get("result") or []:
        name, value = str(result.get("from_name")), result.get("value") or {}
        if "choices" in value:
            choices.setdefault(name, []).extend(value["choices"])
        elif "text" in value and name == COMMENT:
            text = value["text"]
            comments.extend([text] if isinstance(text, str) else text)
        elif value.get("format") == "rle" and name == MASK:
            width, height = int(result["original_width"]), int(result["original_height"])
            regions.append(Brush(value["rle"], width, height))
    return Annotation(
        id=int(fields["id"]),
        updated_at=time(fields["updated_at"]),
        reviewer=reviewer,
        seconds=fields.get("lead_time"),
        skipped=bool(fields.get("was_cancelled")),
        choices=choices,
        comment="\n".join(comments) or None,
        regions=regions,
    )


def project(raw: Any) -> ServerProject:
    """A project of the SDK's."""
    return ServerProject(
        id=raw.id,
        title=str(raw.title),
        config=str(raw.label_config),
        model_version=raw.model_version or None,
        shows_predictions=bool(raw.show_collab_predictions),
    )


def found(task: Any) -> FoundTask:
    """A task of the SDK's that was looked up."""
    return FoundTask(
        id=task.id,
        key=key(task) or "",
        has_mask=bool(task.total_predictions),
        is_answered=bool(task.total_annotations),
    )


def key(task: Any) -> str | None:
    """Our key of a task of the SDK's; None if it is not ours."""
    data = task.data if isinstance(task.data, dict) else {}
    return str(data[SAMPLE_ID]) if SAMPLE_ID in data else None


def time(value: Any) -> datetime:
    """A time given as text or not, with a zone or in UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def detail(body: Any) -> str:
    """What a server says of its refusal, on one line."""
    text = body.get("detail") or body if isinstance(body, dict) else body
    return " ".join(str(text).split())[:_MAX_DETAIL]
