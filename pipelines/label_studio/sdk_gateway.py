"""The gateway to a real Label Studio, over its SDK; the only module that imports the SDK.

The SDK is loaded when a gateway is made: that takes two to three seconds. It makes requests; what
people wrote is read by `foreign` and not by the SDK's models, which one odd annotation would stop.
Writing requests are never repeated by the SDK, which cannot know whether the first one was carried
out.
"""

import base64
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pipelines.label_studio import foreign, wire
from pipelines.label_studio.click_controls import with_clicks
from pipelines.label_studio.errors import (
    AnswerLostError,
    ProjectChangedError,
    ReviewError,
    TooLongAnswerError,
)
from pipelines.label_studio.gateway import (
    TO_READ_BUCKETS,
    Backend,
    FoundTask,
    NewTask,
    ServedBucket,
    ServedFolder,
    ServerProject,
    UpdatedTask,
)
from pipelines.label_studio.refusals import Refusals
from pipelines.label_studio.screen import SAMPLE_ID
from pipelines.workspace.object_places import is_url
from sinet.json_text import to_json

_ONCE: Any = {"max_retries": 0}
_PAGE_SIZE = 1000
_FOUND_FIELDS = "id,data,total_predictions,total_annotations"
# Nested names must be listed too, or the annotations come without them.
_UPDATED_FIELDS = (
    "id,data,updated_at,annotations,result,completed_by,lead_time,was_cancelled,parent_prediction"
)
_BARE_FIELDS = "id,data,updated_at"


class LabelStudioGateway:
    """See `Gateway`."""

    def __init__(self, url: str, token: str, timeout_seconds: float) -> None:
        """Connect and check the token.

        Args:
            url: base URL of the server.
            token: a legacy token or a personal access token, printable ASCII; kept in memory only.
            timeout_seconds: for one request.

        Raises:
            UnreachableError: nobody answers there.
            NotAllowedError: the token is not accepted.
            ReviewError: whoever answers is no Label Studio, or sends its callers elsewhere.
        """
        from label_studio_sdk import LabelStudio

        from pipelines.label_studio.http import make_client

        self.url = url.rstrip("/")
        self._errors = Refusals(self.url, token).as_ours
        self._interfaces: dict[int, Any] = {}
        self._reviewers: dict[int, str] = {}
        # The SDK is typed in parts only: inside of this class it is Any, outside it is not seen.
        make: Any = LabelStudio
        with self._errors():
            self._http = make_client(self.url, timeout_seconds)
            # With a slash: the SDK would look for its access token beside a path without one.
            self._client = make(base_url=f"{self.url}/", api_key=token, httpx_client=self._http)
            self.user = _email(self._client.users.whoami())

    def find_projects(self, title: str) -> list[ServerProject]:
        """See `Gateway.find_projects`."""
        with self._errors():
            found = list(self._client.projects.list(title=title))
        same = sorted(int(each.id) for each in found if each.title == title)
        projects = (self.project(number) for number in same)
        return [each for each in projects if each is not None]

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

    def create_project(
        self, title: str, config: str, guideline: str, description: str
    ) -> ServerProject:
        """See `Gateway.create_project`."""
        with self._errors():
            made = self._client.projects.create(
                title=title,
                description=description,
                label_config=config,
                expert_instruction=guideline,
                show_collab_predictions=True,
                request_options=_ONCE,
            )
            return wire.project(self._client.projects.get(made.id))

    def describe_project(self, project_id: int, description: str) -> None:
        """See `Gateway.describe_project`."""
        with self._errors():
            self._client.projects.update(project_id, description=description, request_options=_ONCE)

    def delete_project(self, project_id: int) -> None:
        """See `Gateway.delete_project`."""
        with self._errors():
            self._client.projects.delete(project_id, request_options=_ONCE)

    def serve(self, project_id: int, source: ServedFolder | ServedBucket) -> None:
        """See `Gateway.serve`."""
        match source:
            case ServedFolder(path):
                records, names = self._client.import_storage.local, {"path": path}
                how: dict[str, Any] = {"use_blob_urls": True}
            case ServedBucket(bucket, prefix):
                records = self._client.import_storage.s3
                names = {"bucket": bucket, "prefix": prefix}
                # Through the server, so that the bucket needs to know no browser; and its button
                # "sync" makes no tasks, since no key matches.
                how = {"presign": False, "use_blob_urls": True, "regex_filter": "^$"}
        with self._errors():
            for each in records.list(project=project_id):
                if all(getattr(each, name) == value for name, value in names.items()):
                    return
        try:
            with self._errors():
                records.create(
                    project=project_id, title="portraits", **names, **how, request_options=_ONCE
                )
        except ReviewError as error:
            # It tries whether it can read there.
            if isinstance(source, ServedBucket) and type(error) is ReviewError:
                where = f"s3://{source.bucket}/{source.prefix}"
                raise ReviewError(f"{error}; it cannot read {where}: {TO_READ_BUCKETS}") from error
            raise

    def connect_backend(self, project_id: int, backend: Backend) -> None:
        """See `Gateway.connect_backend`."""
        access = {"basic_auth_user": backend.user, "basic_auth_pass": backend.password}
        said = {"url": backend.url, "is_interactive": True, "auth_method": "BASIC_AUTH", **access}
        with self._errors():
            known = self._client.ml.list(project=project_id)
            ours = [int(each.id) for each in known if each.title == backend.user]
            # The latest is the one that answers; a change would ask the old address first.
            for number in ours:
                self._client.ml.delete(number, request_options=_ONCE)
            self._client.ml.create(
                project=project_id, title=backend.user, request_options=_ONCE, **said
            )
            # The server would tell it of every answer, while the reviewer waits.
            for hook in self._client.webhooks.list(project=str(project_id)):
                if hook.url == f"{backend.url}/webhook":
                    self._client.webhooks.delete(hook.id, request_options=_ONCE)
            config = str(self._client.projects.get(project_id).label_config)
            if (shown := with_clicks(config)) != config:
                self._client.projects.update(project_id, label_config=shown, request_options=_ONCE)

    def serves(self, project_id: int, image_url: str) -> bool:
        """See `Gateway.serves`."""
        # No method of the SDK's asks for a file, but it knows how to sign a request. A browser asks
        # the server's host, whatever path the server itself is under.
        scheme, host, *_ = urlsplit(self.url)
        asked = urlunsplit((scheme, host, "", "", "")) + image_url
        if is_url(image_url):
            # What the server makes of such an address when it shows a task.
            named = base64.urlsafe_b64encode(image_url.encode()).decode()
            asked = f"{self.url}/projects/{project_id}/resolve/?fileuri={named}"
        with self._errors():
            headers = self._client._client_wrapper.get_headers()
            return self._http.status_of(asked, headers) == 200

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
        tasks = self._pages(project_id, wanted, _FOUND_FIELDS)
        return [each for each in map(foreign.found_task, tasks) if each is not None]

    def task_ids(self, project_id: int) -> set[int]:
        """See `Gateway.task_ids`."""
        found = map(foreign.found_task, self._pages(project_id, None, "id"))
        return {each.id for each in found if each is not None}

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
        return list(self._readable(project_id, condition, page, page_size))

    def _readable(
        self, project_id: int, condition: Mapping[str, Any] | None, page: int, page_size: int
    ) -> Iterator[UpdatedTask]:
        """The tasks of a page; one that makes it unreadable comes without its answers.

        Label Studio stores answers that it cannot list again (half a character) or that nobody can
        take in (a list in a list, and so on), and then fails for their whole page. So smaller ones
        are asked for.
        """
        where = (project_id, condition, "tasks:updated_at")
        note = ""
        try:
            listed = self._page(*where, _UPDATED_FIELDS, page, page_size)
        except (_UnreadablePageError, TooLongAnswerError) as error:
            if page_size > 1:
                parts = next(n for n in range(2, page_size + 1) if page_size % n == 0)
                for part in range((page - 1) * parts + 1, page * parts + 1):
                    yield from self._readable(project_id, condition, part, page_size // parts)
                return
            note = str(error)
            listed = self._page(*where, _BARE_FIELDS, page, page_size)
        for raw in listed:
            task = foreign.updated_task(raw, self._reviewer)
            if task is None:
                raise ReviewError(f"{self.url} lists tasks in a form that no Label Studio has")
            yield replace(task, problems=(note,), is_whole=False) if note else task

    def _pages(
        self, project_id: int, condition: Mapping[str, Any] | None, fields: str
    ) -> Iterator[Any]:
        """All of a project's tasks that a condition is true of."""
        for page in count(1):
            tasks = self._page(project_id, condition, "tasks:id", fields, page, _PAGE_SIZE)
            yield from tasks
            if len(tasks) < _PAGE_SIZE:
                return

    def _page(
        self,
        project_id: int,
        condition: Mapping[str, Any] | None,
        ordering: str,
        fields: str,
        page: int,
        page_size: int,
    ) -> list[Any]:
        """One page of a project's tasks, as JSON holds them; empty after the last one.

        Raises:
            _UnreadablePageError: one of them makes the whole unreadable.
            TooLongAnswerError: they are more than we read.
        """
        query = {
            "filters": {"conjunction": "and", "items": [condition] if condition else []},
            "ordering": [ordering],
        }
        parameters = {
            "project": project_id,
            "query": to_json(query),
            # Annotations come only with "all"; what is not named is left out again.
            "fields": "all" if fields == _UPDATED_FIELDS else "task_only",
            "include": fields,
            "page": page,
            "page_size": page_size,
        }
        with self._errors():
            # As the SDK's `tasks.list` asks, but for the models that it reads answers with.
            answer = self._client._client_wrapper.httpx_client.request(
                "api/tasks/", method="GET", params=parameters, request_options=_ONCE
            )
            if answer.status_code == 404 and page > 1:
                return []
            return _tasks(answer)

    def _reviewer(self, completed_by: Any) -> str:
        """E-mail address of a user given as a number or an object."""
        known = foreign.email_of(completed_by)
        if known is None:
            return "unknown"
        if isinstance(known, str):
            return known
        if known not in self._reviewers:
            with self._errors():
                users = self._client.users.list()
            emails = {user.id: foreign.email_of({"email": user.email}) for user in users}
            self._reviewers[known] = f"user {known}"
            self._reviewers.update({k: v for k, v in emails.items() if isinstance(v, str)})
        return self._reviewers[known]

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


def _email(user: Any) -> str:
    email = foreign.email_of({"email": user.email})
    if not isinstance(email, str):
        raise ValueError("a user without an e-mail address")
    return email


class _UnreadablePageError(AnswerLostError):
    """A page of tasks that the server cannot write, or nobody can read."""


def _tasks(answer: Any) -> list[Any]:
    """The tasks of an answer."""
    from label_studio_sdk.core.api_error import ApiError

    if answer.status_code == 500:
        raise _UnreadablePageError("the server fails (500) when it lists its answers")
    if answer.status_code != 200:
        try:
            body = answer.json()
        except (ValueError, RecursionError):
            body = answer.text
        raise ApiError(status_code=answer.status_code, body=body)
    try:
        body = answer.json()
    except RecursionError:
        raise _UnreadablePageError("its answers are nested too deeply to be read") from None
    if not isinstance(body, dict) or not isinstance(body.get("tasks"), list):
        raise ReviewError(f"{answer.url.host} lists tasks in a form that no Label Studio has")
    return list(body["tasks"])
