"""Batches of bytes in, batches of results out; one bad item never takes its neighbours along."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from db import Outcome
from pipelines.ingest.models import Models
from pipelines.ingest.stages import (
    DetectedImage,
    choose_faces,
    detect_portraits,
    label_portraits,
)
from pipelines.masks.judging import PortraitInput, encode_mask, encode_probability
from pipelines.networks.fake import FakeTeacher
from pipelines.pictures.decode import decode
from pipelines.pictures.fake import FakeDetector
from pipelines.pictures.geometry import Face
from pipelines.workspace.errors import ItemError, ModelError
from pipelines.workspace.settings import DetectorSettings, EngineSettings, Settings

ORIENTATION, GPS = 0x0112, 0x8825


def face(height: float, confidence: float = 0.99) -> Face:
    return Face((0, 0, height, height), (), confidence)


def photo(width: int = 300, height: int = 400, level: int = 120, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (level, level, level)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def detected(files: Sequence[bytes]) -> list[DetectedImage | ItemError]:
    return detect_portraits(files, FakeDetector(), Settings())


@pytest.mark.parametrize(
    ("faces", "kept", "reasons"),
    [
        ([], 0, ["no_face"]),
        ([face(200, 0.89)], 0, ["low_face_confidence"]),
        ([face(63.9)], 0, ["face_too_small"]),
        # The large one is not sure, the sure one not large.
        ([face(200, 0.5), face(20)], 0, ["face_too_small"]),
        ([face(64, 0.9)], 1, []),
        ([face(200), face(63), face(100, 0.2), face(64)], 2, []),
    ],
)
def test_which_faces_become_portraits(faces: list[Face], kept: int, reasons: list[str]) -> None:
    limits = DetectorSettings(min_face_px=64, min_confidence=0.9)
    chosen, found = choose_faces(faces, limits)
    assert (len(chosen), found) == (kept, reasons)
    assert all(face.height >= 64 and face.confidence >= 0.9 for face in chosen)


def test_the_largest_faces_of_a_crowd() -> None:
    crowd = [face(height) for height in (300, 200, 100, 90)]
    assert choose_faces(crowd, DetectorSettings(max_faces=2)) == (crowd[:2], [])


def test_bad_files_fail_alone_and_in_their_places() -> None:
    files = [photo(), b"no image", photo(level=0), photo()[:500], photo(150, 150)]
    first, broken, black, cut, small = detected(files)
    assert isinstance(broken, ItemError)
    assert isinstance(cut, ItemError)
    assert (broken.reason, cut.reason) == ("not_an_image", "truncated")
    assert isinstance(first, DetectedImage)
    assert isinstance(black, DetectedImage)
    assert isinstance(small, DetectedImage)
    assert (first.outcome, first.reasons, len(first.portraits)) == (Outcome.PORTRAITS, [], 1)
    assert (black.outcome, black.reasons, black.faces) == (Outcome.NO_FACE, ["no_face"], [])
    assert (small.outcome, small.reasons) == (Outcome.NO_FACE, ["face_too_small"])
    assert len(small.faces) == 1
    assert detected(files[:1]) == [first]


def test_nothing_to_do() -> None:
    assert detected([]) == []
    assert all(isinstance(item, ItemError) for item in detected([b"", b"x"]))


def test_a_crop_is_upright_and_tells_nothing_of_its_source() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS)[1] = "N"
    (found,) = detected([photo(400, 300, exif=exif, comment=b"secret")])
    assert isinstance(found, DetectedImage)
    assert (found.width, found.height, found.format) == (300, 400, "JPEG")
    (portrait,) = found.portraits
    x0, y0, x1, y1 = portrait.crop.box
    with Image.open(io.BytesIO(portrait.jpeg)) as crop:
        assert crop.size == (x1 - x0, y1 - y0) == (300, 387)
        assert not crop.getexif()
        assert set(crop.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"secret" not in portrait.jpeg


def test_too_many_pixels_are_refused_by_the_setting() -> None:
    settings = Settings.model_validate({"decode": {"max_pixels": 300 * 400 - 1}})
    (refused,) = detect_portraits([photo()], FakeDetector(), settings)
    assert isinstance(refused, ItemError)
    assert refused.reason == "too_many_pixels"


def png(data: bytes) -> tuple[str, npt.NDArray[np.uint8]]:
    with Image.open(io.BytesIO(data)) as image:
        return image.mode, np.asarray(image.convert("L"))


@pytest.mark.parametrize("width", [1, 7, 8, 9, 300])
def test_a_mask_is_one_bit_a_pixel_and_exact(width: int) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (50, width)).astype(np.bool_)
    mode, stored = png(encode_mask(mask))
    assert mode == "1"
    np.testing.assert_array_equal(stored, mask * 255)
    decoded = decode(encode_mask(mask), max_pixels=10**6).rgb
    np.testing.assert_array_equal(decoded, (mask * 255)[..., None].repeat(3, axis=2))


def test_a_probability_is_rounded_to_255_steps() -> None:
    steps = np.array([[0, 0.001, 0.1, 0.5, 0.75, 0.999, 1]], np.float32)
    mode, stored = png(encode_probability(steps))
    assert mode == "L"
    np.testing.assert_array_equal(stored, [[0, 0, 26, 128, 191, 255, 255]])
    smooth = np.random.default_rng(0).random((40, 30)).astype(np.float32)
    assert np.abs(png(encode_probability(smooth))[1] / 255 - smooth).max() <= 0.5 / 255 + 1e-6


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="no CUDA device is available here; use --device cpu"):
        _ = Models(Settings(engine=EngineSettings(device="cuda")), threads=1).device
    assert Models(Settings(), threads=1).device == "cpu"
    assert Models(Settings(), threads=1).batch_size == 4
    monkeypatch.setattr("sinet.devices.gpu_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert Models(Settings(), threads=1).batch_size == 32
    assert Models(Settings(engine=EngineSettings(batch_size=7)), threads=1).batch_size == 7


def test_threads_change_nothing_that_a_batch_gives() -> None:
    files = [photo(level=90), b"no image", photo(200, 300)]
    one, several = (
        detect_portraits(files, FakeDetector(), Settings(), threads) for threads in (1, 3)
    )
    assert isinstance(several[1], ItemError)
    assert [repr(each) for each in several] == [repr(each) for each in one]
    crops = [found.portraits[0] for found in (one[0], one[2]) if isinstance(found, DetectedImage)]
    inputs = [PortraitInput(crop.jpeg, crop.face, []) for crop in crops]
    judged = [
        label_portraits(inputs, FakeTeacher(), Settings(), threads=threads) for threads in (1, 3)
    ]
    assert len(judged[0]) == 2
    assert repr(judged[1]) == repr(judged[0])
