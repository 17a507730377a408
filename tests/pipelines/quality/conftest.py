"""Workspaces with many masks, good and bad, and people who know which are which."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from dataengine.settings import load_settings
from db import Image, Mask, Portrait
from pipelines.masks import read_grey
from pipelines.review.choosing import Order
from pipelines.review.fake import FakeGateway
from pipelines.review.pull import pull
from pipelines.review.push import PushRequest, push
from pipelines.store import BlobKind
from pipelines.workspace import Workspace
from tests.conftest import Crawl
from tests.pipelines.review.conftest import ALL, Silent

NUMBER = 60


@pytest.fixture
def workspace(
    ingested: Crawl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """60 portraits with a mask each; the network doubts every third one, which is bad."""
    monkeypatch.setenv("DATAENGINE_REVIEW__SETTLE_SECONDS", "2")
    # Its photos are people's alone: no test split, so that every mask counts.
    monkeypatch.setenv("DATAENGINE_RELEASE__TEST_SHARE", "0")
    root = tmp_path / "workspace"
    shutil.copytree(ingested.workspace, root)
    opened = Workspace(root, load_settings(root))
    multiply(opened, NUMBER)
    yield opened
    opened.close()


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


def multiply(workspace: Workspace, number: int) -> None:
    """Copy the first portrait, with probabilities that get worse for the bad masks."""
    with workspace.engine.begin() as connection:
        mask = connection.execute(sa.select(Mask.__table__).order_by(Mask.id)).first()
        assert mask is not None
        query = sa.select(Portrait.__table__).where(Portrait.id == mask.portrait_id)
        portrait = dict(connection.execute(query).one()._mapping)
        del portrait["id"]
        taken = connection.scalar(sa.select(sa.func.count()).select_from(Portrait)) or 0
        query = sa.select(Image.__table__).where(Image.id == portrait["image_id"])
        image = dict(connection.execute(query).one()._mapping)
        person = read_grey(workspace.store, mask.blob) > 127
        chance = np.random.default_rng(taken)
        for index in range(number - taken):
            doubt = chance.uniform(0.25, 0.45) if is_bad(taken + index) else chance.uniform(0, 0.2)
            soft = np.where(person, 1 - doubt, doubt / 4)
            png = cv2.imencode(".png", np.rint(soft * 255).astype(np.uint8))[1].tobytes()
            blob = workspace.store.put(BlobKind.PROBABILITY, png)
            # Another photo each: they are not near-duplicates.
            looks = {"phash": int(chance.integers(-(2**62), 2**62)), "phash_mirror": index}
            looks |= {
                "descriptor": chance.bytes(len(image["descriptor"])),
                "group_id": None,
                "split": None,
            }
            values = {**image, **looks, "sha256": f"{taken + index:064x}"}
            del values["id"]
            image_id = connection.scalar(sa.insert(Image).values(values).returning(Image.id))
            new = sa.insert(Portrait).values({**portrait, "image_id": image_id})
            portrait_id = connection.scalar(new.returning(Portrait.id))
            of_mask = {**mask._mapping, "portrait_id": portrait_id, "probability_blob": blob}
            del of_mask["id"]
            connection.execute(sa.insert(Mask).values(of_mask))


def is_bad(index: int) -> bool:
    return index % 3 == 0


def decide(workspace: Workspace, gateway: FakeGateway, **changes: Any) -> None:
    """Push, answer everything as the truth is, pull."""
    options = {
        "title": "portraits", "verdicts": ALL, "order": Order.RANDOM, "limit": None, "batch": 100,
        **changes,
    }  # fmt: skip
    push(workspace, gateway, PushRequest(**options), Silent())
    answer_all(workspace, gateway)
    pull(workspace, gateway)


def answer_all(workspace: Workspace, gateway: FakeGateway) -> None:
    """Reject the bad masks and accept the good ones, whatever they are asked for."""
    portraits = portrait_of_key(workspace)
    order = {portrait_id: index for index, portrait_id in enumerate(sorted(set(_ids(workspace))))}
    for task in gateway.tasks.values():
        if not task.annotations:
            bad = is_bad(order[portraits[task.key]])
            gateway.answer(task.id, "reject" if bad else "accept")


def portrait_of_key(workspace: Workspace) -> dict[str, int]:
    from db import ReviewRequest

    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(ReviewRequest.key, ReviewRequest.portrait_id))
        return {row.key: row.portrait_id for row in rows}


def _ids(workspace: Workspace) -> list[int]:
    with workspace.engine.begin() as connection:
        return list(connection.scalars(sa.select(Portrait.id)))
