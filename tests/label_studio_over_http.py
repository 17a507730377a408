"""The Label Studio in memory (`FakeGateway`), for other processes: over HTTP, like a real one."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import TypeAdapter

from pipelines.label_studio.connecting import KEY_VARIABLE, URL_VARIABLE
from pipelines.label_studio.fake import FakeGateway, FakeTask
from pipelines.label_studio.foreign import Moment
from pipelines.label_studio.gateway import Annotation, Brush, NewTask, ServedFolder, ServerProject
from pipelines.label_studio.screen import IMAGE, MASK, SAMPLE_ID
from tests.pipelines.label_studio.odd_server import WHOAMI, Answer, Asked, odd_server

TOKEN = "0123456789abcdef0123456789abcdef01234567"
_MOMENT: TypeAdapter[Any] = TypeAdapter(Moment)


@contextmanager
def over_http(gateway: FakeGateway, seconds: float = 0) -> Iterator[dict[str, str]]:
    """Answer until the block ends; gives the environment that commands find the server by.

    Args:
        gateway: the server's state.
        seconds: before and after each change, so that a caller may die while it is made.
    """
    with odd_server(_Api(gateway, seconds)) as server:
        yield {URL_VARIABLE: server.url, KEY_VARIABLE: TOKEN}


def told(gateway: FakeGateway) -> str:
    """What a server has, whatever it numbers it by: one line a task, sorted."""
    lines = [f"project {each.title}" for each in gateway.projects.values()]
    for task in gateway.tasks.values():
        mask = hashlib.sha256(repr(task.mask).encode()).hexdigest()[:12]
        image = Path(task.image_url).name
        answers = sorted(
            f"{each.reviewer} {sorted(each.choices.items())}" for each in task.annotations
        )
        lines.append(f"task {image} {mask} {answers}")
    return "\n".join(sorted(lines))


class _Api:
    """Answers one request after another."""

    def __init__(self, gateway: FakeGateway, seconds: float) -> None:
        self._gateway, self._seconds = gateway, seconds
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        is_change = asked.method != "GET"
        time.sleep(self._seconds * is_change)
        with self._lock:
            said = self._answer(asked)
        time.sleep(self._seconds * is_change)
        return said

    def _answer(self, asked: Asked) -> Answer:
        split = urlsplit(asked.path)
        path = split.path.strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        body = json.loads(asked.body) if asked.body else None
        match asked.method, *path:
            case "GET", "api", "current-user", "whoami":
                return Answer(body=WHOAMI)
            case "GET", "api", "projects":
                found = self._gateway.find_projects(query["title"])
                return Answer(body={"count": len(found), "results": list(map(_project, found))})
            case "POST", "api", "projects":
                made = self._gateway.create_project(
                    body["title"], body["label_config"], "", body["description"]
                )
                return Answer(201, _project(made))
            case "GET", "api", "projects", number:
                known = self._gateway.project(int(number))
                return Answer(404, {}) if known is None else Answer(body=_project(known))
            case "GET", "api", "storages", "localfiles":
                return Answer(body=[])
            case "POST", "api", "storages", "localfiles":
                self._gateway.serve(body["project"], ServedFolder(body["path"]))
                return Answer(201, {"id": 1, **body})
            case "POST", "api", "projects", number, "import":
                ids = self._gateway.import_tasks(int(number), list(map(_new_task, body)))
                return Answer(201, {"task_ids": ids, "task_count": len(ids)})
            case "GET", "api", "tasks":
                return Answer(body={"tasks": self._listed(query), "total": 0})
            case "DELETE", "api", "tasks", number:
                self._gateway.delete_task(int(number))
                return Answer(204, b"")
            case "GET", "data", *_:
                return Answer(body=b"a picture")
        return Answer(404, {"detail": f"not in this fake: {asked.method} {asked.path}"})

    def _listed(self, query: dict[str, str]) -> list[Any]:
        number, page, size = (int(query[name]) for name in ("project", "page", "page_size"))
        conditions = json.loads(query["query"])["filters"]["items"]
        match conditions:
            case []:
                tasks = [each for each in self._gateway.tasks.values() if each.project_id == number]
                found = tasks[(page - 1) * size : page * size]
            case [{"filter": "filter:tasks:updated_at", "value": since}]:
                updated = self._gateway.updated_tasks(
                    number, _MOMENT.validate_python(since), page, size
                )
                found = [self._gateway.tasks[each.id] for each in updated]
            case [{"value": keys}]:
                ids = [each.id for each in self._gateway.find_tasks(number, keys)]
                found = [self._gateway.tasks[each] for each in ids[(page - 1) * size : page * size]]
            case _:
                raise AssertionError(f"not in this fake: {conditions}")
        if query["fields"] == "all" and not conditions:
            found.sort(key=lambda task: (task.updated_at, task.id))
        return list(map(_task, found))


def _project(project: ServerProject) -> dict[str, Any]:
    return {
        "id": project.id,
        "title": project.title,
        "label_config": project.config,
        "description": project.description,
        "model_version": project.model_version,
        "show_collab_predictions": project.shows_predictions,
    }


def _new_task(raw: dict[str, Any]) -> NewTask:
    (prediction,) = raw["predictions"]
    (region,) = prediction["result"]
    brush = Brush(region["value"]["rle"], region["original_width"], region["original_height"])
    return NewTask(raw["data"][SAMPLE_ID], raw["data"][IMAGE], brush)


def _task(task: FakeTask) -> dict[str, Any]:
    return {
        "id": task.id,
        "data": {IMAGE: task.image_url, SAMPLE_ID: task.key},
        "updated_at": task.updated_at.isoformat(),
        "total_predictions": int(task.mask is not None),
        "total_annotations": sum(not each.skipped for each in task.annotations),
        "annotations": list(map(_annotation, task.annotations)),
    }


def _annotation(annotation: Annotation) -> dict[str, Any]:
    choices = [
        {"from_name": name, "type": "choices", "value": {"choices": list(values)}}
        for name, values in annotation.choices.items()
    ]
    brushes = [
        {
            "from_name": MASK,
            "type": "brushlabels",
            "original_width": each.width,
            "original_height": each.height,
            "value": {"format": "rle", "rle": [int(number) for number in each.rle]},
        }
        for each in annotation.regions
    ]
    return {
        "id": annotation.id,
        "updated_at": annotation.updated_at.isoformat(),
        "completed_by": {"email": annotation.reviewer},
        "lead_time": annotation.seconds,
        "was_cancelled": annotation.skipped,
        "result": choices + brushes,
    }
