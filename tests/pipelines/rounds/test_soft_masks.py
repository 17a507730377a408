"""A teacher looks at a run's pictures once, whatever comes between."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.networks import parse_network
from pipelines.networks.fake import FakeTeacher
from pipelines.rounds.soft_masks import Consultation, consult
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import SILENT, Silent
from pipelines.workspace.settings import EngineSettings, Settings
from sinet.data import Sample
from sinet.training import write_soft_masks

NUMBER = 40


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    found = []
    for number in range(NUMBER):
        path = tmp_path / f"data/{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (40 + number, 30, 3), np.uint8)
        Image.fromarray(noise).save(path)
        found.append(Sample(path.stem, path, path))
    return found


def masks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def settings(workers: int) -> Settings:
    return Settings(engine=EngineSettings(workers=workers))


def consultation(samples: list[Sample], folder: Path) -> Consultation:
    teacher = parse_network("fake")
    return Consultation(samples=samples, teacher=teacher, device="cpu", folder=folder)


@pytest.mark.parametrize("workers", [0, 2])
def test_stopped_and_gone_on_with_the_masks_are_those_of_a_loop(
    samples: list[Sample], tmp_path: Path, workers: int
) -> None:
    run, folder = tmp_path / "run", tmp_path / "run/soft_masks"
    asked = consultation(samples, folder)

    class Impatient(Silent):
        def stopping(self) -> bool:
            return folder.exists() and len(list(folder.glob("*.png"))) >= 8

    assert not consult(asked, run, settings(workers), Impatient())
    kept = masks(folder)
    assert 8 <= len(kept) < NUMBER
    assert (run / "queue").is_dir()
    assert consult(asked, run, settings(workers), SILENT)
    assert not (run / "queue").exists()
    fake = FakeTeacher()
    write_soft_masks(samples, lambda image: fake.person_probability([image])[0], tmp_path / "loop")
    assert masks(folder) == masks(tmp_path / "loop")
    assert kept.items() < masks(folder).items()


def test_pictures_that_cannot_be_read_are_told_after_the_others_are_done(
    samples: list[Sample], tmp_path: Path
) -> None:
    run, folder = tmp_path / "run", tmp_path / "run/soft_masks"
    whole = samples[3].image.read_bytes()
    samples[3].image.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PipelineError, match=r"1 of 40 pictures cannot be learnt from.*03\.png"):
        consult(consultation(samples, folder), run, settings(0), SILENT)
    assert len(masks(folder)) == NUMBER - 1
    samples[3].image.write_bytes(whole)
    assert consult(consultation(samples, folder), run, settings(0), SILENT)
    assert len(masks(folder)) == NUMBER
    assert not (run / "queue").exists()
