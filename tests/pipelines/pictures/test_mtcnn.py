"""MTCNN beside the package that its weights come from: the same faces, to a thousandth."""

import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
import pytest
import torch
from facenet_pytorch import MTCNN

from pipelines.pictures import mtcnn, mtcnn_networks
from pipelines.pictures.decode import decode
from pipelines.pictures.detect import MtcnnDetector, working_copy
from pipelines.workspace.errors import ModelError
from pipelines.workspace.settings import DetectorSettings

Image = npt.NDArray[np.uint8]

CROWDS = (
    "dlib__examples__faces__2007_007763.jpg",
    "dlib__examples__faces__2008_002470.jpg",
    "dlib__examples__faces__2008_004176.jpg",
    "u2net__test_data__test_images__vangogh.jpeg",
)


def compare(image: Image, smallest_px: int, step: float) -> int:
    """Hold our answer against the package's; returns the number of faces."""
    theirs = MTCNN(keep_all=True, min_face_size=smallest_px, factor=step).eval()
    boxes, probability, landmarks = theirs.detect(image, landmarks=True)
    networks = mtcnn_networks.load_networks()
    ours = mtcnn.find_faces(image, networks, smallest_px=smallest_px, step=step)
    if boxes is None:
        assert len(ours.boxes) == 0
        return 0
    np.testing.assert_allclose(ours.boxes, boxes.astype(np.float32), atol=1e-3, rtol=0)
    np.testing.assert_allclose(ours.probability, probability.astype(np.float32), atol=1e-3)
    np.testing.assert_allclose(ours.landmarks, landmarks.astype(np.float32), atol=1e-3, rtol=0)
    return len(boxes)


@pytest.mark.parametrize("smallest_px", [12, 20, 40])
@pytest.mark.parametrize("step", [0.6, 0.709])
def test_a_portrait_at_every_pyramid(astronaut: Image, smallest_px: int, step: float) -> None:
    assert compare(astronaut, smallest_px, step) >= 1


def test_a_photo_of_odd_size_and_one_without_a_face(astronaut: Image) -> None:
    hopper = cv2.imread(str(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"))
    assert compare(np.ascontiguousarray(hopper[:601, :511, ::-1]), 31, 0.6) == 1
    # A face larger than the picture, cut on three sides: crops that begin outside of it.
    assert compare(np.ascontiguousarray(astronaut[66:178, 178:272]), 40, 0.709) == 1
    assert compare(np.ascontiguousarray(astronaut[300:, 300:]), 40, 0.709) == 0
    assert compare(np.full((64, 64, 3), 127, np.uint8), 12, 0.6) == 0


def test_crowds_and_a_crawl(shared: Path) -> None:
    files = [shared / "data/crawl/mixed" / name for name in CROWDS]
    files += sorted((shared / "data/crawl/flickr").glob("*.jpg"))[:6]
    found = 0
    for file in files:
        copy = working_copy(
            decode(file.read_bytes(), max_pixels=10_000_000).rgb, DetectorSettings()
        )
        found += compare(copy.canvas, copy.min_face_px, 0.6)
    assert found >= 25


def test_thresholds_and_weights_are_the_packages() -> None:
    defaults = inspect.signature(MTCNN).parameters
    assert list(mtcnn.THRESHOLDS) == defaults["thresholds"].default
    for path in mtcnn_networks._files():
        expected = torch.load(path, weights_only=True)
        read = mtcnn_networks._read_state(path)
        assert read.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(read[name], values.numpy())


class _Intruder:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch intruded",)


@pytest.mark.parametrize("damage", ["cut", "foreign", "code", "gone"])
def test_damaged_weights_are_one_line_and_never_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pnet.pt"
    whole = mtcnn_networks._files()[0].read_bytes()
    match damage:
        case "cut":
            path.write_bytes(whole[:-1000])
        case "foreign":
            path.write_bytes(b"<html>404 Not Found</html>")
        case "code":
            path.write_bytes(pickle.dumps(_Intruder()))
    with pytest.raises(ModelError, match=r"pnet\.pt: cannot be read as weights") as error:
        mtcnn_networks._read_state(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "intruded").exists()


def test_neither_torch_nor_the_package_is_loaded() -> None:
    program = (
        "import sys, numpy\n"
        "from pipelines.pictures.detect import MtcnnDetector\n"
        "from pipelines.workspace.settings import DetectorSettings\n"
        "detector = MtcnnDetector(DetectorSettings())\n"
        "detector.detect([numpy.zeros((99, 99, 3), numpy.uint8)])\n"
        "print(*sorted({'torch', 'torchvision', 'facenet_pytorch'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("\n", "")


def test_threads_share_a_detector(astronaut: Image) -> None:
    from concurrent.futures import ThreadPoolExecutor

    detector = MtcnnDetector(DetectorSettings())
    pictures = [astronaut, np.ascontiguousarray(astronaut[:, ::-1])] * 4
    alone = [detector.detect([picture])[0] for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda each: detector.detect([each])[0], pictures)) == alone
