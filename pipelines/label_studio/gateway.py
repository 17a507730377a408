"""What we need of Label Studio, in our own words; no other module sees the SDK's.

`pipelines.label_studio.sdk_gateway` speaks to a server, `pipelines.label_studio.fake` to none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sinet.clicks.click import Mark


@dataclass(frozen=True, slots=True)
class Brush:
    """A brush region.

    Attributes:
        rle: as `pipelines.label_studio.rle` encodes it.
        width: of the image, in pixels.
        height: of the image, in pixels.
    """

    rle: Sequence[int]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to be made.

    Attributes:
        key: opaque id, in the task's data.
        image_url: as the reviewer's browser asks the server for it, or ``s3://…`` of a bucket
            that the project serves.
        mask: the prediction that is shown.
    """

    key: str
    image_url: str
    mask: Brush


@dataclass(frozen=True, slots=True)
class FoundTask:
    """A task that was looked up by its key.

    Attributes:
        id: the server's.
        key: ours.
        has_mask: whether it has a prediction.
        is_answered: whether anybody submitted an answer; skipping it is none.
    """

    id: int
    key: str
    has_mask: bool
    is_answered: bool


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one person submitted for a task.

    Attributes:
        id: the server's.
        updated_at: changes when it is edited.
        reviewer: e-mail address.
        seconds: time it took, as the browser measured it; None if it did not.
        skipped: the person passed the task on without an answer.
        choices: control name → chosen values.
        comment: free text, or None.
        regions: brush regions, in the order they were made.
        marks: clicks and boxes that mended the mask.
    """

    id: int
    updated_at: datetime
    reviewer: str
    seconds: float | None
    skipped: bool
    choices: Mapping[str, Sequence[str]]
    comment: str | None
    regions: Sequence[Brush]
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class UpdatedTask:
    """A task that was made, answered, changed or re-opened.

    Attributes:
        id: the server's.
        key: ours; None for a task that is not.
        updated_at: by the server's clock.
        annotations: all there are now that can be understood; a prediction is none.
        problems: what cannot be understood about the others, in words.
        is_whole: whether `annotations` lacks none but those in another state than before.
    """

    id: int
    key: str | None
    updated_at: datetime
    annotations: Sequence[Annotation]
    problems: Sequence[str] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class ServerProject:
    """A project as the server has it.

    Attributes:
        id: the server's.
        title: as shown.
        config: labeling config, XML.
        model_version: whose predictions are shown; None while it has none.
        shows_predictions: whether predictions are shown at all.
        description: free text, in which our mark is.
    """

    id: int
    title: str
    config: str
    model_version: str | None
    shows_predictions: bool
    description: str = ""


TO_READ_BUCKETS = (
    "start it with AWS_ACCESS_KEY_ID and its kin of a user who may read the bucket, and with "
    "S3_ENDPOINT if it is not Amazon's"
)


@dataclass(frozen=True, slots=True)
class ServedFolder:
    """A folder on the server, whose files a project's members may see.

    Attributes:
        path: there.
    """

    path: str


@dataclass(frozen=True, slots=True)
class ServedBucket:
    """A part of an S3 bucket, whose objects a project's members may see.

    Attributes:
        bucket: its name.
        prefix: of the keys; ends with a slash.
    """

    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Backend:
    """An ML backend, as a Label Studio server reaches it.

    Attributes:
        url: of it, without a slash at its end.
        user: that it knows.
        password: of that user. A secret.
    """

    url: str
    user: str
    password: str = field(repr=False)


class Gateway(Protocol):
    """A Label Studio server, as one user.

    Attributes:
        url: as reviewers' browsers know it, maybe with a path; without a slash at its end.

    Every method raises `UnreachableError`, `NotAllowedError`, `TooLargeError`, `AnswerLostError`
    (for a method that changes something: it may have been done) or, for any other refusal,
    `ReviewError`. None repeats by itself what changes something.
    """

    url: str

    def find_projects(self, title: str) -> list[ServerProject]:
        """All projects of exactly this title, the oldest first."""
        ...

    def project(self, project_id: int) -> ServerProject | None:
        """A project, or None if it is gone."""
        ...

    def create_project(
        self, title: str, config: str, guideline: str, description: str
    ) -> ServerProject:
        """Make a project whose predictions are shown to reviewers."""
        ...

    def describe_project(self, project_id: int, description: str) -> None:
        """Replace a project's description."""
        ...

    def delete_project(self, project_id: int) -> None:
        """Remove a project with everything in it."""
        ...

    def serve(self, project_id: int, source: ServedFolder | ServedBucket) -> None:
        """Let the project's members see files where they are; never copies them, nor any key."""
        ...

    def connect_backend(self, project_id: int, backend: Backend) -> None:
        """Let a project ask our ML backend about clicks, and show what is clicked by.

        A backend of ours that was connected before gives way. The server asks it first.
        """
        ...

    def serves(self, project_id: int, image_url: str) -> bool:
        """Whether the server hands out this image to its users."""
        ...

    def import_tasks(self, project_id: int, tasks: Sequence[NewTask]) -> list[int]:
        """Make tasks, each with its mask as a prediction, all of them or none.

        Returns:
            Their ids, in order.
        """
        ...

    def find_tasks(self, project_id: int, keys: Sequence[str]) -> list[FoundTask]:
        """All tasks with one of these keys, by id."""
        ...

    def task_ids(self, project_id: int) -> set[int]:
        """All of a project's tasks."""
        ...

    def delete_task(self, task_id: int) -> None:
        """Remove a task and what belongs to it; one that is gone is no error."""
        ...

    def updated_tasks(
        self, project_id: int, since: datetime | None, page: int, page_size: int
    ) -> list[UpdatedTask]:
        """A page of the tasks updated at `since` or later, by update time; pages count from 1.

        Empty after the last one. What cannot be understood of a task is in its `problems`, and
        what is no task at all is left out.
        """
        ...
