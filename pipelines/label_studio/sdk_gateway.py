"""The gateway to a real Label Studio, over its SDK; the only module that imports the SDK.

The SDK is loaded when a gateway is made: that takes two to three seconds. Its answers differ in
type from version to version (`completed_by` a number or an object, times as text or not); here they
become our own dataclasses, and its errors ours. Writing requests are never repeated by the SDK,
which cannot know whether the first one was carried out.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pipelines.label_studio import wire as wire
from pipelines.label_studio.errors import (
    AnswerLostError,
    NotAllowedError,
    ProjectChangedError,
    ReviewError,
    UnreachableError,
)
from pipelines.label_studio.gateway import FoundTask, NewTask, ServerProject, UpdatedTask
from pipelines.label_studio.screen import SAMPLE_ID

_ONCE: Any = {"max_retries": 0}
_PAGE_SIZE = 1000
_FOUND_FIELDS = "id,data,total_predictions,total_annotations"
# Nested names must be listed too, or the annotations come without them.
_UPDATED_FIELDS = (
    "id,data,updated_at,annotations,result,completed_by,lead_time,was_cancelled,parent_prediction"
)


class LabelStudioGateway:
    """See `Gateway`."""

    def __init__(self, url: str, token: str, timeout_seconds: float) -> None:
        """Connect and check the token.

        Args:
            url: base URL of the server.
            token: a legacy token or a personal access token; kept in memory only.
            timeout_seconds: for one request.

        Raises:
            UnreachableError: nobody answers there.
            NotAllowedError: the token is not accepted.
            ReviewError: whoever answers is no Label Studio.
        """
        from label_studio_sdk import LabelStudio

        self.url = url.rstrip("/")
        # A proxy of the environment is for the world outside.
        local = urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")
        self._http = _quick_client()(
            timeout=timeout_seconds, follow_redirects=True, trust_env=not local
        )
        self._interfaces: dict[int, Any] = {}
        self._reviewers: dict[int, str] = {}
        # The SDK is typed in parts only: inside of this class it is Any, outside it is not seen.
        make: Any = LabelStudio
        with self._errors():
            self._client = make(base_url=self.url, api_key=token, httpx_client=self._http)
            self.user = str(self._client.users.whoami().email)

    def find_project(self, title: str) -> ServerProject | None:
        """See `Gateway.find_project`."""
        with self._errors():
            found = list(self._client.projects.list(title=title))
        same = [int(each.id) for each in found if each.title == title]
        return self.project(min(same)) if same else None

    def project(self, project_id: int) -> ServerProject | None:
        """See `Gateway.project`."""
        from label_studio_sdk.core.api_error import ApiError

        with self._errors():
            try:
                return wire.project(self._client.projects.get(project_id))
            except ApiError as error:
                if error.status_code == 404:
                    return None
                raise

    def create_project(self, title: str, config: str, guideline: str) -> ServerProject:
        """See `Gateway.create_project`."""
        with self._errors():
            made = self._client.projects.create(
                title=title,
                label_config=config,
                expert_instruction=guideline,
                show_collab_predictions=True,
                request_options=_ONCE,
            )
            return wire.project(self._client.projects.get(made.id))

    def serve_folder(self, project_id: int, path: str) -> None:
        """See `Gateway.serve_folder`."""
        local = self._client.import_storage.local
        with self._errors():
            if any(each.path == path for each in local.list(project=project_id)):
                return
            local.create(
                project=project_id,
                title="portraits",
                path=path,
                use_blob_urls=True,
                request_options=_ONCE,
            )

    def serves(self, image_url: str) -> bool:
        """See `Gateway.serves`."""
        # No method of the SDK's asks for a file, but it knows how to sign a request.
        headers = self._client._client_wrapper.get_headers()
        with self._errors():
            answer = self._http.get(self.url + image_url, headers=headers)
        return bool(answer.status_code == 200)

    def import_tasks(self, project_id: int, tasks: Sequence[NewTask]) -> list[int]:
        """See `Gateway.import_tasks`.

        Raises:
            ProjectChangedError: the project's labeling config would not show the masks.
        """
        payload = [wire.task_json(task) for task in tasks]
        self._require_valid(project_id, payload)
        with self._errors():
            made = self._client.projects.import_tasks(
                project_id,
                # The SDK walks lists number by number, 3 s a batch; a deque goes through in C.
                request=deque(payload),
                return_task_ids=True,
                request_options=_ONCE,
            )
        ids = [int(each) for each in getattr(made, "task_ids", None) or []]
        if len(ids) != len(tasks):
            # Some editions import later, or say less; the look-up tells.
            raise AnswerLostError(f"{self.url} took tasks without naming all their ids")
        return ids

    def find_tasks(self, project_id: int, keys: Sequence[str]) -> list[FoundTask]:
        """See `Gateway.find_tasks`."""
        wanted = {
            "filter": f"filter:tasks:data.{SAMPLE_ID}",
            "operator": "in_list",
            "type": "String",
            "value": list(keys),  # text, even comma-separated, silently finds nothing
        }
        found: list[FoundTask] = []
        page = 1
        while True:
            tasks = self._page(project_id, wanted, "tasks:id", _FOUND_FIELDS, page, _PAGE_SIZE)
            found.extend(wire.found(task) for task in tasks)
            if len(tasks) < _PAGE_SIZE:
                return found
            page += 1

    def task_ids(self, project_id: int) -> set[int]:
        """See `Gateway.task_ids`."""
        ids: set[int] = set()
        page = 1
        while True:
            tasks = self._page(project_id, None, "tasks:id", "id", page, _PAGE_SIZE)
            ids.update(task.id for task in tasks)
            if len(tasks) < _PAGE_SIZE:
                return ids
            page += 1

    def delete_task(self, task_id: int) -> None:
        """See `Gateway.delete_task`."""
        from label_studio_sdk.core.api_error import ApiError

        with self._errors():
            try:
                self._client.tasks.delete(str(task_id), request_options=_ONCE)
            except ApiError as error:
                if error.status_code != 404:
                    raise

    def updated_tasks(
        self, project_id: int, since: datetime | None, page: int, page_size: int
    ) -> list[UpdatedTask]:
        """See `Gateway.updated_tasks`."""
        condition = None
        if since is not None:
            condition = {
                "filter": "filter:tasks:updated_at",
                "operator": "greater_or_equal",
                "type": "Datetime",
                "value": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
        tasks = self._page(
            project_id, condition, "tasks:updated_at", _UPDATED_FIELDS, page, page_size
        )
        return [self._updated(task) for task in tasks]

    def _page(
        self,
        project_id: int,
        condition: Mapping[str, Any] | None,
        ordering: str,
        fields: str,
        page: int,
        page_size: int,
    ) -> list[Any]:
        """One page of a project's tasks; empty after the last one."""
        from label_studio_sdk.core.api_error import ApiError

        query = {
            "filters": {"conjunction": "and", "items": [condition] if condition else []},
            "ordering": [ordering],
        }
        # Annotations come only with "all"; what is not named is left out again.
        detail = "all" if fields == _UPDATED_FIELDS else "task_only"
        with self._errors():
            try:
                found = self._client.tasks.list(
                    project=project_id,
                    query=json.dumps(query),
                    fields=detail,
                    include=fields,
                    page=page,
                    page_size=page_size,
                )
            except ApiError as error:
                if error.status_code == 404 and page > 1:
                    return []
                raise
        return list(found.items or [])

    def _updated(self, task: Any) -> UpdatedTask:
        annotations = []
        for raw in task.annotations or []:
            fields = raw if isinstance(raw, dict) else raw.model_dump()
            annotations.append(wire.annotation(fields, self._reviewer(fields.get("completed_by"))))
        return UpdatedTask(task.id, wire.key(task), wire.time(task.updated_at), annotations)

    def _reviewer(self, completed_by: Any) -> str:
        """E-mail address of a user given as a number or an object."""
        if isinstance(completed_by, dict) and completed_by.get("email"):
            return str(completed_by["email"])
        number = completed_by.get("id") if isinstance(completed_by, dict) else completed_by
        if number is None:
            return "unknown"
        if number not in self._reviewers:
            with self._errors():
                users = self._client.users.list()
            self._reviewers.update({user.id: str(user.email) for user in users})
        return self._reviewers.get(number, f"user {number}")

    def _require_valid(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> None:
        """The server stores a prediction with wrong names and never shows it: check here."""
        from label_studio_sdk.label_interface.interface import LabelInterface

        interface: Any = self._interfaces.get(project_id)
        if interface is None:
            with self._errors():
                config = self._client.projects.get(project_id).label_config
            interface = self._interfaces[project_id] = LabelInterface(str(config))
        for task in tasks:
            for prediction in task["predictions"]:
                checked = wire.without_pixels(prediction)
                problems = interface.validate_prediction(checked, return_errors=True)
                if problems:
                    raise ProjectChangedError(
                        f"project {project_id} on {self.url} cannot show our masks "
                        f"({problems[0]}); restore its labeling config, or push with another "
                        "--project"
                    )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The SDK's and the network's errors become ours; none of them shows a header."""
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UnreachableError(
                f"{self.url} cannot be reached ({error}); is the server running?"
            ) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ReviewError(f"{self.url} is not the URL of a server ({error})") from error
        except httpx.TransportError as error:
            raise AnswerLostError(f"{self.url} did not answer ({_named(error)})") from error
        except (json.JSONDecodeError, httpx.DecodingError) as error:
            raise ReviewError(f"{self.url} answers, but is no Label Studio") from error
        except ApiError as error:
            raise self._refusal(error.status_code, error.body) from error

    def _refusal(self, code: int | None, body: Any) -> ReviewError:
        if code in (401, 403):
            return NotAllowedError(
                f"{self.url} does not accept the token in LABEL_STUDIO_API_KEY ({code}: "
                f"{wire.detail(body)}); copy a new one from its Account & Settings page"
            )
        if code is None or code >= 500 or code in (408, 409, 429):
            return AnswerLostError(f"{self.url} failed ({code}: {wire.detail(body)})")
        return ReviewError(f"{self.url} refused ({code}: {wire.detail(body)})")


def _quick_client() -> Any:
    """`httpx.Client` with quick JSON: a batch of masks is more than a million numbers."""
    import httpx
    from pydantic_core import to_json

    class QuickClient(httpx.Client):
        def build_request(self, *arguments: Any, **options: Any) -> httpx.Request:
            body = options.pop("json", None)
            if body is None:
                return super().build_request(*arguments, **options)
            headers = httpx.Headers(options.pop("headers", None))
            headers["Content-Type"] = "application/json"
            options |= {"content": to_json(body), "headers": headers}
            return super().build_request(*arguments, **options)

    return QuickClient


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
