"""Views and second opinions: asked when masks are made, used where all masks have them."""

from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from db import Mask, reader
from pipelines.doubt.stored_signals import stored_signals
from pipelines.ingest.models import Models
from pipelines.ingest.stages import detect_portraits, label_portraits
from pipelines.masks.judging import JudgedMask, PortraitInput
from pipelines.masks.second_looks import is_second_look
from pipelines.networks.fake import FakeTeacher
from pipelines.pictures.fake import FakeDetector
from pipelines.pictures.stored_masks import read_mask
from pipelines.workspace.settings import Settings, TeacherSettings
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.dataengine.conftest import Run, run
from tests.pipelines.ingest.test_stages import photo

__all__ = ["run"]  # a fixture


class Unsteady(FakeTeacher):
    """Says a fifth of what it should of mirror images."""

    name = "unsteady"

    def person_probability(self, batch):  # type: ignore[no-untyped-def]
        answers = super().person_probability(batch)
        number = len(batch) // 4
        return [
            answer * (0.2 if number <= index < 2 * number else 1)
            for index, answer in enumerate(answers)
        ]


class Nobody(FakeTeacher):
    """Never sees a person."""

    def person_probability(self, batch):  # type: ignore[no-untyped-def]
        return [np.zeros(image.shape[:2], np.float32) for image in batch]


@pytest.fixture
def portrait() -> PortraitInput:
    found = detect_portraits([photo(600, 800)], FakeDetector(), Settings())[0]
    (crop,) = found.portraits  # type: ignore[union-attr]
    face = crop.crop.face(crop.face)
    return PortraitInput(crop.jpeg, face, [])


def labelled(portrait: PortraitInput, teacher: FakeTeacher, *, views: bool = False,
             second: FakeTeacher | None = None) -> JudgedMask:  # fmt: skip
    settings = Settings(teacher=TeacherSettings(views=views))
    (found,) = label_portraits([portrait], teacher, settings, second)
    assert isinstance(found, JudgedMask)
    return found


def test_without_views_and_second_opinion_nothing_is_added(portrait: PortraitInput) -> None:
    assert not any(map(is_second_look, labelled(portrait, FakeTeacher()).scores))


def test_views_change_no_mask_and_tell_where_a_network_guesses(portrait: PortraitInput) -> None:
    plain = labelled(portrait, FakeTeacher())
    steady = labelled(portrait, FakeTeacher(), views=True)
    assert (steady.png, steady.probability_png, steady.verdict) == (
        plain.png,
        plain.probability_png,
        plain.verdict,
    )
    unsteady = labelled(portrait, Unsteady(), views=True)
    assert unsteady.png == plain.png
    # The fake's ellipse fills whatever it is shown, so that only the mirror image is the same.
    assert steady.scores["view_flip"] == pytest.approx(1, abs=0.01)
    assert unsteady.scores["view_flip"] == pytest.approx(0.2, abs=0.01)
    assert plain.scores.items() <= steady.scores.items()


def test_a_second_opinion_says_how_far_it_is(portrait: PortraitInput) -> None:
    same = labelled(portrait, FakeTeacher(), second=FakeTeacher()).scores
    other = labelled(portrait, FakeTeacher(), second=Nobody()).scores
    assert same["disagreement"] == 0
    assert same["student_disagreement"] < 0.1
    assert other["disagreement"] == other["student_disagreement"] == 1
    assert not any(name.startswith("view_") for name in other)


def test_ingest_asks_for_views_where_it_is_told_to(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAENGINE_DETECTOR__NAME", "fake")
    monkeypatch.setenv("DATAENGINE_TEACHER__NAME", "fake")
    monkeypatch.setenv("DATAENGINE_TEACHER__SECOND_OPINION", "none")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.jpg").write_bytes(photo(600, 800))
    monkeypatch.setattr(Models, "teacher", FakeTeacher())
    root = tmp_path / "workspace"
    answer = run("-w", root, "ingest", tmp_path / "raw", "--views", "--workers", "0")
    assert answer.code == 0, answer.err
    opened = Workspace(root, load_settings(root))
    with reader(opened.engine).begin() as connection:
        mask = connection.execute(sa.select(Mask.id, Mask.scores, Mask.blob)).one()
    assert sum(map(is_second_look, mask.scores)) == 7
    assert stored_signals(opened, [mask.id])[mask.id]["view_flip"] == mask.scores["view_flip"]
    assert (read_mask(opened.store, mask.blob)).any()
    opened.close()
