"""Workspaces with masks to ask about, and people who answer."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from db import Mask, MaskSource, Portrait, Review, ReviewRequest, Verdict
from pipelines.label_studio.fake import FakeGateway
from pipelines.label_studio.gateway import Brush, Gateway
from pipelines.label_studio.rle import encode_mask
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.pictures.stored_masks import read_grey
from pipelines.portraits.rows import NewMask, save_mask
from pipelines.review.choosing import Order
from pipelines.review.push import PushRequest, PushResult, push_questions
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests import object_storage
from tests.conftest import Crawl, copy_of
from tests.label_studio import RealServer, start_server

ALL = list(Verdict)


@pytest.fixture
def workspace(
    ingested: Crawl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_either: None
) -> Iterator[Workspace]:
    """Three portraits with a teacher's mask each."""
    monkeypatch.setenv("DATAENGINE_REVIEW__SETTLE_SECONDS", "2")
    root = tmp_path / "workspace"
    copy_of(ingested, root)
    opened = Workspace(root, load_settings(root))
    yield opened
    opened.close()


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    monkeypatch.setattr("pipelines.review.sending._LOOK_AGAIN_SECONDS", 0.01)
    return FakeGateway()


Ask = Callable[..., PushResult]


@pytest.fixture
def ask(workspace: Workspace, gateway: FakeGateway) -> Ask:
    """Push to the fake server."""

    def call(**changes: Any) -> PushResult:
        return push_all(workspace, gateway, **changes)

    return call


def push_all(workspace: Workspace, gateway: Gateway, **changes: Any) -> PushResult:
    """Push masks of every verdict, unless told otherwise."""
    options = {
        "project": "portraits", "verdicts": ALL, "order": Order.ID, "limit": None, "batch": 100,
        **changes,
    }  # fmt: skip
    return push_questions(workspace, PushRequest(**options), gateway=gateway)


def requests(workspace: Workspace) -> list[sa.Row[Any]]:
    with workspace.engine.begin() as connection:
        query = sa.select(ReviewRequest.__table__).order_by(ReviewRequest.id)
        return list(connection.execute(query))


def reviews(workspace: Workspace, *, standing: bool = True) -> list[sa.Row[Any]]:
    query = sa.select(Review.__table__).order_by(Review.id)
    if standing:
        query = query.where(Review.withdrawn_at.is_(None))
    with workspace.engine.begin() as connection:
        return list(connection.execute(query))


def masks(workspace: Workspace) -> list[sa.Row[Any]]:
    with workspace.engine.begin() as connection:
        query = sa.select(Mask.__table__).order_by(Mask.portrait_id, Mask.revision)
        return list(connection.execute(query))


def contents(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the tables that reviews change."""
    return {
        "requests": [tuple(row) for row in requests(workspace)],
        "reviews": [tuple(row) for row in reviews(workspace, standing=False)],
        "masks": [tuple(row) for row in masks(workspace)],
    }


def add_revision(workspace: Workspace, portrait_id: int, source: MaskSource) -> int:
    """A later mask of a portrait, with other pixels; its id."""
    latest = [mask for mask in masks(workspace) if mask.portrait_id == portrait_id][-1]
    pixels = read_grey(workspace.store, latest.blob)
    pixels[: len(pixels) // 2] = 0
    png = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
    blob = workspace.store.put(BlobKind.MASK, png)
    new = NewMask(portrait_id, source, "another", blob, None, Verdict.REVIEW, [], {})
    with workspace.engine.begin() as connection:
        return save_mask(connection, new)


def stroke(width: int, height: int) -> Brush:
    """A brush region in a corner, where the fake teacher sees nobody."""
    alpha = np.zeros((height, width), np.bool_)
    alpha[height // 12 : height // 6, width // 12 : width // 4] = True
    return Brush(encode_mask(alpha), width, height)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A real Label Studio, one for all tests of a session."""
    with pytest.MonkeyPatch.context() as patch:
        # Of a role that may read buckets.
        for name, value in object_storage.server().environment().items():
            patch.setenv(name, value)
        started = start_server(tmp_path_factory.mktemp("label-studio"))
    yield started
    started.stop()


@pytest.fixture
def served(
    ingested: Crawl, server: RealServer, monkeypatch: pytest.MonkeyPatch, request: Any
) -> Iterator[Workspace]:
    """A workspace whose crops the real server can show; its project has the test's name."""
    monkeypatch.setenv("DATAENGINE_REVIEW__DOCUMENT_ROOT", str(server.root))
    monkeypatch.setenv("DATAENGINE_REVIEW__SETTLE_SECONDS", "5")
    root = Path(tempfile.mkdtemp(dir=server.root))
    shutil.copytree(ingested.workspace, root, dirs_exist_ok=True)
    title = f"{request.node.name[:40]} {root.name[-4:]}"
    opened = Workspace(root, load_settings(root, {"review": {"project": title}}))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def real(server: RealServer) -> LabelStudioGateway:
    return LabelStudioGateway(server.url, server.token, 60)


def push_real(workspace: Workspace, gateway: Gateway, **changes: Any) -> PushResult:
    """Push to the real server, to the workspace's own project."""
    return push_all(workspace, gateway, project=workspace.settings.review.project, **changes)


def multiply(workspace: Workspace, number: int) -> None:
    """Give a workspace as many portraits with masks, all with the pixels of the first one."""
    first = masks(workspace)[0]
    with workspace.engine.begin() as connection:
        table = Portrait.__table__
        of_first = sa.select(table).where(table.c.id == first.portrait_id)
        portrait = dict(connection.execute(of_first).one()._mapping)
        have = connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        del portrait["id"]
        for ordinal in range(have, number):
            values = {**portrait, "ordinal": ordinal + 1}
            portrait_id = connection.scalar(
                sa.insert(Portrait).values(values).returning(table.c.id)
            )
            of_mask = {key: value for key, value in first._mapping.items() if key != "id"}
            connection.execute(sa.insert(Mask).values({**of_mask, "portrait_id": portrait_id}))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: REVIEW_SCREENSHOTS, or among pytest's temporary files."""
    named = os.environ.get("REVIEW_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
