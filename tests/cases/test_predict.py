"""`predict`: every command sees the same files and pixels; the cut file fails by its name."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipelines.ingest.stages import detect_portraits
from pipelines.pictures.detect import FaceDetector
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import Settings
from sinet.apply import Style, apply_to_files, plan
from sinet.data import Sample, read_sample
from sinet.errors import DataError
from sinet.predict import PersonModel
from tests.cases.conftest import Ingest

Pixels = npt.NDArray[np.uint8]


def test_what_is_predicted_is_what_is_ingested(
    cases: Path, ingest: Ingest, dataengine: Callable[..., str], tmp_path: Path
) -> None:
    folder = cases / "predict"
    told = json.loads(
        dataengine("predict", "sinet:bundled", folder, "--out", tmp_path / "out", "--json")
    )
    run = ingest(folder)
    names = {file.stem for file in folder.iterdir()}
    written = {file.stem for file in (tmp_path / "out").glob("*.png")}
    assert written == names - {"cut_png"}
    assert [Path(each["path"]).name for each in told["not_predicted"]] == ["cut_png.png"]
    assert run["run"]["failures"] == {"truncated": 1}
    assert run["run"]["offered"] == len(names)
    with Image.open(tmp_path / "out/exif6.png") as mask:
        assert mask.size == (600, 800)  # upright


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def made() -> dict[str, bytes]:
    """Files of our own that decoders disagree on."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 4)).astype(np.uint8)
    rgba = Image.fromarray(noise)
    rgb, exif = rgba.convert("RGB"), Image.Exif()
    exif[0x0112] = 8
    jpeg = save(rgb, "JPEG")
    return {
        "turned.avif": save(rgb, "AVIF", exif=exif),
        "turned.png": save(rgb, "PNG", exif=exif),
        "turned.tiff": save(rgb, "TIFF", exif=exif),
        "hidden.png": save(rgba, "PNG"),
        "hidden.webp": save(rgba, "WEBP", lossless=True),
        "grey and alpha.png": save(rgba.convert("LA"), "PNG"),
        "palette.png": save(rgb.quantize(32), "PNG", transparency=0),
        "deep.png": save(Image.fromarray(noise[..., 0].astype(np.uint16) * 257), "PNG"),
        "cmyk.jpg": save(rgb.convert("CMYK"), "JPEG"),
        "grey.jpg": save(rgb.convert("L"), "JPEG"),
        "no end.jpg": jpeg[:-2],
        "closed again.jpg": jpeg[:-300] + b"\xff\xd9",
        "cut.jpg": jpeg[:-300],
        "cut.webp": save(rgb, "WEBP")[:-200],
        "text": b"no picture at all",
    }


class Recorder(PersonModel):
    """A network that remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Pixels] = []

    def people_at_input(self, images: Any) -> list[npt.NDArray[np.float32]]:
        self.seen += images
        return [np.zeros(image.shape[:2], np.float32) for image in images]

    def person_at_input(self, image: Pixels) -> npt.NDArray[np.float32]:
        return self.people_at_input([image])[0]


class Watching(FaceDetector):
    """A detector that remembers what it was shown."""

    name = "watching"

    def __init__(self) -> None:
        self.seen: list[Pixels] = []

    def detect(self, images: Any) -> list[list[Any]]:
        self.seen += images
        return [[] for _ in images]


def ingested(file: Path) -> Pixels | None:
    detector = Watching()
    (found,) = detect_portraits([file.read_bytes()], detector, Settings())
    return None if isinstance(found, ItemError) else detector.seen[0]


def predicted(file: Path, out: Path) -> Pixels | None:
    network = Recorder()
    done, failures = apply_to_files(network, plan([file], out), Style())
    assert done + len(failures) == 1
    return network.seen[0] if done else None


def learnt(file: Path, mask: Path, seen: Pixels | None) -> Pixels | None:
    shape = (9, 9) if seen is None else seen.shape[:2]
    Image.fromarray(np.zeros(shape, np.uint8)).save(mask)
    try:
        return read_sample(Sample("a", file, mask)).image
    except DataError:
        return None


@pytest.mark.parametrize("name", [None, *made()])
def test_the_same_bytes_give_the_same_pixels_everywhere(
    request: pytest.FixtureRequest, tmp_path: Path, name: str | None
) -> None:
    if name is None:
        files = sorted((request.getfixturevalue("cases") / "predict").iterdir())
    else:
        (tmp_path / name).write_bytes(made()[name])
        files = [tmp_path / name]
    for file in files:
        photo = ingested(file)
        for other in (
            predicted(file, tmp_path / "out" / file.name),
            learnt(file, tmp_path / "mask.png", photo),
        ):
            assert (other is None) == (photo is None), file
            if photo is not None:
                np.testing.assert_array_equal(other, photo, err_msg=file.name)
