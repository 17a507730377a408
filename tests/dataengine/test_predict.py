"""`dataengine predict`: masks where they belong, and nowhere else."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.dataengine.conftest import Run
from tests.dataengine.test_cli_errors import assert_one_line_error
from tests.dataengine.training_data import make_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "a.safetensors")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """`wide.jpg`, lying on its side by EXIF; `deep/er/grey.png`; `notes.txt`; `clip.avi`."""
    folder = tmp_path / "photos"
    (folder / "deep/er").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(folder / "wide.jpg", exif=exif)
    Image.fromarray(noise[..., 0]).save(folder / "deep/er/grey.png")
    (folder / "notes.txt").write_text("no picture")
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(folder / "clip.avi"), code, 5, (48, 32))
    for _ in range(4):
        writer.write(noise[:32, :48])
    writer.release()
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_with_everything(run: Run, checkpoint: Path, photos: Path) -> None:
    answer = run("predict", checkpoint, photos, "--out", "masks", "--overlay")
    assert answer.code == 0, answer.err
    assert "3 files predicted in masks, 0 failed" in answer.out
    masks = Path("masks")
    assert files(masks) == {
        "wide.png", "wide.overlay.jpg", "deep/er/grey.png", "deep/er/grey.overlay.jpg",
        "clip.overlay.mp4", *(f"clip.masks/{number:06}.png" for number in range(4)),
    }  # fmt: skip
    with Image.open(masks / "wide.png") as mask:
        assert (mask.mode, mask.size) == ("L", (40, 60))  # upright
        assert set(np.unique(mask)) - {0, 255}  # probabilities
    with Image.open(masks / "clip.masks/000003.png") as mask:
        assert mask.size == (48, 32)
    video = cv2.VideoCapture(str(masks / "clip.overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 4


def test_black_and_white(run: Run, checkpoint: Path, photos: Path) -> None:
    picture = photos / "deep/er/grey.png"
    for threshold, expected in (("0", {255}), ("1", {0})):
        out = Path(f"out{threshold}")
        assert run("predict", checkpoint, picture, "--out", out, "--threshold", threshold).code == 0
        with Image.open(out / "grey.png") as mask:
            assert set(np.unique(mask)) == expected


def test_names_that_collide_keep_their_suffix(run: Run, checkpoint: Path, photos: Path) -> None:
    (photos / "wide.png").write_bytes((photos / "deep/er/grey.png").read_bytes())
    (photos / "clip.avi").unlink()
    assert run("predict", checkpoint, photos, photos / "deep", "--out", "masks").code == 0
    assert files(Path("masks")) == {
        "photos/wide.png.png", "photos/wide.jpg.png", "photos/deep/er/grey.png", "deep/er/grey.png",
    }  # fmt: skip


def test_broken_files_do_not_stop_the_others(run: Run, checkpoint: Path, photos: Path) -> None:
    jpeg, video = (photos / "wide.jpg").read_bytes(), (photos / "clip.avi").read_bytes()
    (photos / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (photos / "cut.mp4").write_bytes(video[:100])
    (photos / "empty.png").touch()
    answer = run("predict", checkpoint, photos, "--out", "masks", "--json")
    assert answer.code == 0
    found = json.loads(answer.out)
    assert found["predicted"] == 3
    assert {Path(each["path"]).name for each in found["not_predicted"]} == {
        "cut.jpg", "cut.mp4", "empty.png",
    }  # fmt: skip
    failed = [line for line in answer.err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    assert not any("cut" in name or "empty" in name for name in files(Path("masks")))
    alone = run("predict", checkpoint, photos / "cut.jpg", "--out", "other")
    assert_one_line_error(alone, r"nothing could be predicted: .*cut\.jpg: no image, or damaged")


def test_nothing_is_overwritten_unasked(run: Run, checkpoint: Path, photos: Path) -> None:
    arguments = ["predict", checkpoint, photos, "--out", "masks"]
    assert run(*arguments).code == 0
    assert_one_line_error(run(*arguments), r"is there already, and 2 more; .* --overwrite")
    target = Path("masks/wide.png")
    target.write_bytes(b"old")
    assert run(*arguments, "--overwrite").code == 0
    assert target.read_bytes() != b"old"


def test_a_picture_is_never_replaced_by_its_mask(run: Run, checkpoint: Path, photos: Path) -> None:
    picture = photos / "deep/er/grey.png"
    before = picture.read_bytes()
    answer = run("predict", checkpoint, picture, "--out", picture.parent, "--overwrite")
    assert_one_line_error(answer, "would replace a picture given")
    assert picture.read_bytes() == before


def test_out_within_the_folder_is_not_predicted(run: Run, checkpoint: Path, photos: Path) -> None:
    for expected in ("3 files", "3 files"):
        answer = run("predict", checkpoint, photos, "--out", photos / "masks", "--overwrite")
        assert expected in answer.out, answer.err


def test_a_link_cannot_lead_out(run: Run, checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    Path("masks").mkdir()
    Path("masks/deep").symlink_to(tmp_path / "elsewhere")
    answer = run("predict", checkpoint, photos, "--out", "masks")
    assert_one_line_error(answer, "a link leads out of masks")
    assert files(tmp_path / "elsewhere") == set()


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["{weights}", "missing.jpg"], r"missing\.jpg: no such file or folder"),
        (["missing.pth", "{photos}"], r"missing\.pth: no such file"),
        (["{weights}", "."], "no picture or video there"),
        (["{weights}", "{photos}/notes.txt"], r"notes\.txt: no image, or damaged"),
    ],
)
def test_what_is_mistyped_is_one_line(
    run: Run, checkpoint: Path, photos: Path, arguments: list[str], pattern: str
) -> None:
    filled = [each.format(weights=checkpoint, photos=photos) for each in arguments]
    assert_one_line_error(run("predict", *filled, "--out", "masks"), pattern)
    assert list(Path.cwd().iterdir()) == []


def test_attention_is_a_picture(run: Run, checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    answer = run("predict", checkpoint, photos, "--out", "masks", "--attention")
    assert answer.code == 0, answer.err
    seen = {each for each in files(Path("masks")) if ".attention-" in each}
    assert seen == {
        each.removesuffix(".png") + ".attention-doubt.jpg"
        for each in files(Path("masks"))
        if each.endswith(".png") and "clip.masks" not in each  # of a video there are none
    }
    shown = Image.open(Path("masks") / min(seen))
    mask = Image.open(Path("masks") / (min(seen).removesuffix(".attention-doubt.jpg") + ".png"))
    assert (shown.size, shown.mode) == (mask.size, "RGB")
    again = run("predict", checkpoint, photos, "--out", "masks", "--attention")
    assert_one_line_error(again, "is there already")
    other = make_checkpoint(tmp_path / "deeplab.safetensors", network="deeplab")
    line = ["predict", other, photos, "--out", "others", "--attention"]
    assert_one_line_error(run(*line), "deeplab.safetensors: has no attention maps; checkpoints of")
    assert not Path("others").exists()
