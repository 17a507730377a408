"""`failures`: each thing that failed, with its file, its step and the whole reason."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import FAST_INGEST, Crawl
from tests.dataengine.conftest import Run


def test_for_people_and_for_scripts(run: Run, ingested: Crawl) -> None:
    answer = run("-w", ingested.workspace, "failures", "--json")
    (failure,) = json.loads(answer.out)
    assert failure == {
        "path": str(ingested.raw / "broken.jpg"),
        "stage": "detect",
        "reason": "not_an_image",
        "message": failure["message"],
        "portrait_id": None,
    }
    assert "HTML page" in failure["message"]
    lines = run("-w", ingested.workspace, "failures").out.splitlines()
    assert lines[0] == failure["path"]
    assert lines[1:] == ["  detect: not_an_image", f"  {failure['message']}", "1 failed"]
    none = run("-w", ingested.workspace, "failures", "--stage", "read", "--json")
    assert json.loads(none.out) == []


def test_files_masks_and_portraits(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)
    raw, masks = tmp_path / "raw", tmp_path / "masks"
    raw.mkdir()
    masks.mkdir()
    Image.fromarray(noise).save(raw / "a.png")
    (raw / "gone.jpg").symlink_to("nowhere")
    half = np.where(noise[:-1, :, 0] > 127, 255, 0).astype(np.uint8)
    Image.fromarray(half).save(masks / "a.png")
    assert run("ingest", raw, "--masks", masks).code == 0
    found = json.loads(run("failures", "--json").out)
    assert [(each["stage"], Path(each["path"]).name, each["reason"]) for each in found] == [
        ("read", "gone.jpg", "missing"),
        ("import", "a.png", "mask_size_mismatch"),
    ]
    status = json.loads(run("status", "--json").out)
    assert status["failures_by_stage"] == {
        "read": {"missing": 1},
        "import": {"mask_size_mismatch": 1},
    }
    shown = [" ".join(line.split()) for line in run("status").out.splitlines()]
    assert "failed 1 missing 1" in shown
    assert "masks not imported 1 mask_size_mismatch 1" in shown
