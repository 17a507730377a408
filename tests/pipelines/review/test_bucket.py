"""Crops in a bucket, which the real server reads itself: no folder is shared, none is mounted."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db import RequestState
from pipelines.label_studio.crops import image_url
from pipelines.label_studio.errors import ReviewError
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl, copy_of, into_bucket
from tests.label_studio import RealServer
from tests.pipelines.review.conftest import push_real, requests
from tests.pipelines.review.test_real_server import client as client


@pytest.fixture
def in_a_bucket(
    ingested: Crawl, tmp_path: Path, s3_folder: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    into_bucket(ingested.workspace / "store", s3_folder)
    monkeypatch.setenv("DATAENGINE_STORE__URL", s3_folder)
    monkeypatch.setenv("DATAENGINE_STORE__CACHE_BYTES", "0")
    monkeypatch.setenv("DATAENGINE_REVIEW__PROJECT", f"in {s3_folder}"[:40])
    root = tmp_path / "workspace"
    copy_of(ingested, root)
    opened = Workspace(root, load_settings(root))
    yield opened
    opened.close()


def portraits(workspace: Workspace) -> list[str]:
    return list(filter(lambda key: key.startswith(BlobKind.PORTRAIT), workspace.store.keys()))


def shown(server: RealServer, task_id: int) -> bytes:
    """The image of a task, asked for as the editor asks."""
    headers = {"Authorization": f"Token {server.token}"}
    asked = urllib.request.Request(f"{server.url}/api/tasks/{task_id}", headers=headers)
    with urllib.request.urlopen(asked) as answer:
        address = str(json.load(answer)["data"]["image"])
    assert address.startswith(f"{server.url}/tasks/{task_id}/resolve/"), "through the server"
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        assert answer.geturl() == address, "no browser is sent to the bucket"
        assert answer.headers["Content-Type"] == "image/jpeg"
        return bytes(answer.read())


def test_every_crop_is_shown(
    in_a_bucket: Workspace, server: RealServer, real: LabelStudioGateway, client: Any
) -> None:
    pushed = push_real(in_a_bucket, real)
    assert (pushed.new, pushed.sent) == (3, 3)
    assert {each.state for each in requests(in_a_bucket)} == {RequestState.SENT}
    crops = {in_a_bucket.store.get(key) for key in portraits(in_a_bucket)}
    assert {shown(server, int(each.task_id or 0)) for each in requests(in_a_bucket)} == crops

    (record,) = client.import_storage.s3.list(project=pushed.project.server_id)
    assert record.prefix == "some/folder/portraits/"
    assert not record.aws_access_key_id, "no key of ours is given to the server"
    assert not record.aws_secret_access_key
    again = push_real(in_a_bucket, real)
    assert (again.new, again.sent) == (0, 0)
    assert len(client.import_storage.s3.list(project=pushed.project.server_id)) == 1
    client.import_storage.s3.sync(record.id)
    assert len(real.task_ids(pushed.project.server_id)) == 3, "its button makes no tasks"


def test_what_the_server_may_not_read_is_said(
    in_a_bucket: Workspace, real: LabelStudioGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        in_a_bucket,
        "settings",
        in_a_bucket.settings.model_copy(
            update={
                "store": in_a_bucket.settings.store.model_copy(
                    update={"url": "s3://not-there/some/folder"}
                )
            }
        ),
    )
    before = {each.id for each in real.find_projects(in_a_bucket.settings.review.project)}
    with pytest.raises(ReviewError, match="s3://not-there/some/folder/portraits/") as raised:
        push_real(in_a_bucket, real)
    assert "AWS_ACCESS_KEY_ID" in str(raised.value)
    assert "\n" not in str(raised.value)
    after = {each.id for each in real.find_projects(in_a_bucket.settings.review.project)}
    assert after == before, "a project that shows no images is removed again"


def test_strangers_are_shown_nothing(
    in_a_bucket: Workspace, server: RealServer, real: LabelStudioGateway
) -> None:
    pushed = push_real(in_a_bucket, real)
    blob = image_url(in_a_bucket, server.url, portraits(in_a_bucket)[0])
    named = base64.urlsafe_b64encode(blob.encode()).decode()
    project = f"{server.url}/projects/{pushed.project.server_id}/resolve/?fileuri={named}"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(project)
