"""`export --alpha`: soft edges of what the networks were unsure of."""

import csv
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from db import Mask
from pipelines.releases.exporting import ExportRequest, export_release
from pipelines.releases.formats import Format
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace
from sinet.data import evaluation_samples
from sinet.matting import FOLDERS
from tests.pipelines.releases.test_building import accepted as accepted
from tests.pipelines.releases.test_building import files


def test_alphas_and_trimaps_of_every_portrait(accepted: Workspace, tmp_path: Path) -> None:
    with accepted.engine.begin() as connection:  # as if a person had drawn them
        connection.execute(sa.update(Mask).where(Mask.id <= 3).values(probability_blob=None))
    out = tmp_path / "out"
    export_release(accepted, ExportRequest(out=out, alpha=True))
    with (out / "mattes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["alpha"] for row in rows) == ["mask"] * 3 + ["probability"] * 21
    for row in rows:
        alpha, trimap, mask = (
            np.asarray(Image.open(out / folder / f"{row['id']}.png").convert("L"))
            for folder in ("alphas", "trimaps", "masks")
        )
        assert alpha.shape == trimap.shape == mask.shape
        known = trimap != 128
        assert (alpha[known] == mask[known]).all()
        assert (trimap[known] == mask[known]).all()
        assert float(row["unknown_share"]) == pytest.approx(1 - known.mean(), abs=1e-4)
        assert not known.all()
    _, samples = evaluation_samples(out, "all", folders=FOLDERS)
    assert len(samples) == 24
    assert "alphas/" in (out / "checksums.txt").read_text()
    assert "--alpha" in (out / "card.md").read_text()
    export_release(accepted, ExportRequest(out=tmp_path / "again", alpha=True))
    assert files(tmp_path / "again") == files(out)


def test_other_formats_have_no_place_for_them(accepted: Workspace, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="mattes go with the format folder, not coco"):
        export_release(
            accepted, ExportRequest(out=tmp_path / "out", format=Format.COCO, alpha=True)
        )
