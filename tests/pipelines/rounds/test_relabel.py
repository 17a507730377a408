"""New masks by a student."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from db import Mask, MaskSource, Verdict, insert_new
from pipelines.networks.base import Image, Probability
from pipelines.rounds.relabel import relabel
from pipelines.rounds.relabel_stage import Method, Relabelled
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.conftest import Crawl, copy_of


class LeftHalf:
    """Says that whoever is in the left half is the person."""

    name = "left@sha256:0"

    def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
        answers = []
        for image in batch:
            answer = np.zeros(image.shape[:2], np.float32)
            answer[:, : image.shape[1] // 2] = 1
            answers.append(answer)
        return answers


@pytest.fixture
def workspace(ingested: Crawl, tmp_path: Path, on_either: None) -> Iterator[Workspace]:
    root = tmp_path / "workspace"
    copy_of(ingested, root)
    opened = Workspace(root, load_settings(root))
    yield opened
    opened.close()


def masks(workspace: Workspace) -> list[sa.Row[Any]]:
    with workspace.engine.begin() as connection:
        query = sa.select(Mask.__table__).order_by(Mask.portrait_id, Mask.revision)
        return list(connection.execute(query))


def by_mean(workspace: Workspace, student: LeftHalf) -> list[Relabelled]:
    return relabel(workspace, student, Method.MEAN)


def draw(workspace: Workspace, mask: sa.Row[Any]) -> None:
    """A person's revision after this one, if there is none yet."""
    values = {
        "portrait_id": mask.portrait_id,
        "revision": mask.revision + 1,
        "source": MaskSource.HUMAN,
        "producer": "a person",
        "blob": mask.blob,
        "verdict": Verdict.CANDIDATE,
        "reasons": [],
        "scores": {},
    }
    with workspace.engine.begin() as connection:
        insert_new(connection, Mask, [values])


def test_relabelled_masks_are_new_revisions_of_the_mean(workspace: Workspace) -> None:
    before = masks(workspace)
    relabelled = by_mean(workspace, LeftHalf())
    after = masks(workspace)
    assert [each.portrait_id for each in relabelled] == [mask.portrait_id for mask in before]
    assert [mask for mask in after if mask.revision == 1] == before
    for old, new in zip(before, after[1::2], strict=True):
        assert (new.revision, new.source) == (2, MaskSource.STUDENT)
        assert new.producer == f"mean of {old.producer} and left@sha256:0"
        said, mean = (
            cv2.imdecode(
                np.frombuffer(workspace.store.get(str(each.probability_blob)), np.uint8),
                cv2.IMREAD_GRAYSCALE,
            )
            for each in (old, new)
        )
        assert said is not None
        assert mean is not None
        expected = said / 2
        expected[:, : said.shape[1] // 2] += 127.5
        np.testing.assert_allclose(mean, expected, atol=1)


def test_relabelling_again_changes_nothing(workspace: Workspace) -> None:
    first = by_mean(workspace, LeftHalf())
    assert first
    after = masks(workspace)
    assert by_mean(workspace, LeftHalf()) == []
    assert masks(workspace) == after


def test_a_persons_mask_stays(workspace: Workspace) -> None:
    first = masks(workspace)[0]
    draw(workspace, first)
    assert first.portrait_id not in [each.portrait_id for each in by_mean(workspace, LeftHalf())]


def test_a_mask_that_came_in_between_is_kept(workspace: Workspace) -> None:
    """A person decides while the network thinks."""
    first = masks(workspace)[0]

    class Slow(LeftHalf):
        def person_probability(self, batch: Sequence[Image]) -> list[Probability]:
            draw(workspace, first)
            return super().person_probability(batch)

    relabelled = by_mean(workspace, Slow())
    assert first.portrait_id not in [each.portrait_id for each in relabelled]
    of_it = [mask.source for mask in masks(workspace) if mask.portrait_id == first.portrait_id]
    assert of_it == [MaskSource.TEACHER, MaskSource.HUMAN]
