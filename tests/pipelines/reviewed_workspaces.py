"""Workspaces with many masks, good and bad, and people who know which are which."""

import copy
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from db import Image, Mask, Portrait, ReviewRequest
from pipelines.doubt.scoring import fit_combined_score
from pipelines.label_studio.fake import FakeGateway
from pipelines.pictures.stored_masks import read_mask
from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.review.push import PushRequest, push_questions
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl
from tests.pipelines.review.conftest import ALL

NUMBER = 60


@dataclass(frozen=True)
class Prepared:
    """A workspace that tests copy, and what the server knows of it."""

    root: Path
    gateway: FakeGateway


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch)


@pytest.fixture(scope="session")
def many(ingested: Crawl, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 portraits with a mask each; the network doubts every third one, which is bad."""
    root = tmp_path_factory.mktemp("many") / "workspace"
    shutil.copytree(ingested.workspace, root)
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch)
        opened = Workspace(root, load_settings(root))
        multiply(opened, NUMBER)
        opened.close()
    return root


@pytest.fixture(scope="session")
def reviewed(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The same, all of them decided about."""
    root = Path(shutil.copytree(many, tmp_path_factory.mktemp("reviewed") / "workspace"))
    gateway = FakeGateway()
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch)
        opened = Workspace(root, load_settings(root))
        decide(opened, gateway)
        opened.close()
    return Prepared(root, gateway)


@pytest.fixture(scope="session")
def scored(reviewed: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The same with a fitted score, and 60 more masks that nobody has seen."""
    folder = tmp_path_factory.mktemp("scored")
    root = Path(shutil.copytree(reviewed.root, folder / "workspace"))
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch)
        opened = Workspace(root, load_settings(root))
        fit_combined_score(opened, 0.9)
        multiply(opened, 2 * NUMBER)
        opened.close()
    return Prepared(root, reviewed.gateway)


@pytest.fixture
def workspace(many: Path, tmp_path: Path) -> Iterator[Workspace]:
    """60 portraits that nobody has decided about."""
    root = Path(shutil.copytree(many, tmp_path / "workspace"))
    opened = Workspace(root, load_settings(root))
    yield opened
    opened.close()


def set_environment(patch: pytest.MonkeyPatch) -> None:
    """No waiting for a server, and no test split, which is for people alone."""
    patch.setenv("DATAENGINE_REVIEW__SETTLE_SECONDS", "2")
    patch.setenv("DATAENGINE_RELEASE__TEST_SHARE", "0")


def opened_copy(prepared: Prepared, folder: Path) -> tuple[Workspace, FakeGateway]:
    """A copy that a test may change, and its server."""
    root = Path(shutil.copytree(prepared.root, folder / "prepared"))
    return Workspace(root, load_settings(root)), copy.deepcopy(prepared.gateway)


def multiply(workspace: Workspace, number: int, *, backwards: bool = False) -> None:
    """Copy the first portrait, with probabilities that get worse for the bad masks.

    Args:
        workspace: opened.
        number: of portraits that there are then.
        backwards: they come in the opposite order.
    """
    with workspace.engine.begin() as connection:
        mask = connection.execute(sa.select(Mask.__table__).order_by(Mask.id)).first()
        assert mask is not None
        query = sa.select(Portrait.__table__).where(Portrait.id == mask.portrait_id)
        portrait = dict(connection.execute(query).one()._mapping)
        del portrait["id"]
        taken = connection.scalar(sa.select(sa.func.count()).select_from(Portrait)) or 0
        query = sa.select(Image.__table__).where(Image.id == portrait["image_id"])
        image = dict(connection.execute(query).one()._mapping)
        person = read_mask(workspace.store, mask.blob)
        chance = np.random.default_rng(taken)
        photos = []
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
            values = {
                **image,
                **looks,
                "sha256": hashlib.sha256(f"{taken + index}".encode()).hexdigest(),
            }
            del values["id"]
            photos.append((values, blob))
        for values, blob in reversed(photos) if backwards else photos:
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
        "project": "portraits", "verdicts": ALL, "order": Order.RANDOM, "limit": None, "batch": 100,
        **changes,
    }  # fmt: skip
    push_questions(workspace, PushRequest(**options), gateway=gateway)
    answer_all(workspace, gateway)
    pull_answers(workspace, gateway=gateway)


def answer_all(workspace: Workspace, gateway: FakeGateway) -> None:
    """Reject the bad masks and accept the good ones, whatever they are asked for."""
    portraits = portrait_of_key(workspace)
    order = {portrait_id: index for index, portrait_id in enumerate(sorted(set(_ids(workspace))))}
    for task in gateway.tasks.values():
        if not task.annotations:
            bad = is_bad(order[portraits[task.key]])
            gateway.answer(task.id, "reject" if bad else "accept")


def portrait_of_key(workspace: Workspace) -> dict[str, int]:
    with workspace.engine.begin() as connection:
        rows = connection.execute(sa.select(ReviewRequest.key, ReviewRequest.portrait_id))
        return {row.key: row.portrait_id for row in rows}


def _ids(workspace: Workspace) -> list[int]:
    with workspace.engine.begin() as connection:
        return list(connection.scalars(sa.select(Portrait.id)))
