"""The real MTCNN on real photos: what it finds, where, and what it survives."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.pictures.decode import decode
from pipelines.pictures.detect import MtcnnDetector, working_copy
from pipelines.pictures.fake import FakeDetector
from pipelines.pictures.geometry import Box, Face, box_iou
from pipelines.workspace.settings import DetectorSettings

Image = npt.NDArray[np.uint8]

# As drawn by hand around the astronaut's face, from chin to hairline.
ASTRONAUT_FACE = (178, 66, 272, 178)


@pytest.fixture(scope="module")
def detector() -> MtcnnDetector:
    return MtcnnDetector(DetectorSettings())


def only_face(detector: MtcnnDetector, image: Image) -> Face:
    ((face,),) = detector.detect([image])
    return face


def enlarged(image: Image, factor: int) -> Image:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


def scaled(box: Box, factor: float) -> Box:
    x0, y0, x1, y1 = (factor * edge for edge in box)
    return x0, y0, x1, y1


def test_the_face_of_a_real_photo(detector: MtcnnDetector, astronaut: Image) -> None:
    face = only_face(detector, astronaut)
    assert face.confidence > 0.99
    assert box_iou(face.box, ASTRONAUT_FACE) > 0.7
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye == pytest.approx((205, 101), abs=6)
    assert right_eye == pytest.approx((248, 104), abs=6)
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < min(left_mouth[1], right_mouth[1])
    assert detector.name.startswith("mtcnn:facenet-pytorch@sha256:")


@pytest.mark.parametrize("factor", [2, 3])
def test_a_larger_copy_has_the_same_face_at_its_scale(
    detector: MtcnnDetector, astronaut: Image, factor: int
) -> None:
    # 1024 and 1536 pixels are searched on reduced copies and mapped back.
    face = only_face(detector, enlarged(astronaut, factor))
    assert box_iou(scaled(only_face(detector, astronaut).box, factor), face.box) > 0.85


def test_coordinates_are_those_of_a_wide_image(detector: MtcnnDetector, astronaut: Image) -> None:
    wide = cv2.copyMakeBorder(astronaut, 100, 0, 900, 300, cv2.BORDER_REPLICATE)
    face = only_face(detector, np.asarray(wide, np.uint8))
    there = only_face(detector, astronaut).shifted(900, 100)
    assert box_iou(face.box, there.box) > 0.75
    for mark, expected in zip(face.landmarks, there.landmarks, strict=True):
        assert mark == pytest.approx(expected, abs=4)


def test_largest_first_and_each_where_it_is(detector: MtcnnDetector, astronaut: Image) -> None:
    half = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    both = np.zeros((512, 768, 3), np.uint8)
    both[:256, :256], both[:, 256:] = half, astronaut
    ((large, small),) = detector.detect([both])
    one = only_face(detector, astronaut)
    assert box_iou(large.box, one.shifted(256, 0).box) > 0.8
    assert box_iou(small.box, scaled(one.box, 0.5)) > 0.7


def test_no_answer_depends_on_its_neighbours(detector: MtcnnDetector, astronaut: Image) -> None:
    images = [astronaut, np.zeros((512, 512, 3), np.uint8), enlarged(astronaut, 2), astronaut[::-1]]
    alone = [detector.detect([image])[0] for image in images]
    assert detector.detect(images) == alone
    assert detector.detect(images[::-1]) == alone[::-1]
    # The last is upside down.
    assert [[face.rotation for face in faces] for faces in alone] == [[0], [], [0], [180]]


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (19, 19), (20, 4000), (4000, 20), (1, 5000), (12, 12)]
)
def test_tiny_and_extreme_images_have_no_faces(
    detector: MtcnnDetector, height: int, width: int
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert detector.detect([noise]) == [[]]


def test_nothing_to_look_at(detector: MtcnnDetector) -> None:
    assert detector.detect([]) == []


@pytest.mark.parametrize("name", ["coffee", "rocket", "page"])
def test_a_photo_of_things_has_no_face(detector: MtcnnDetector, name: str) -> None:
    import skimage.data

    picture = getattr(skimage.data, name)()
    rgb = np.asarray(picture if picture.ndim == 3 else np.dstack([picture] * 3), np.uint8)
    sure = [face for face in detector.detect([rgb])[0] if face.confidence >= 0.9]
    assert [face for face in sure if face.height >= DetectorSettings().min_face_px] == []


def test_faces_of_a_real_crawl_agree_with_those_at_full_size(
    detector: MtcnnDetector, shared: Path
) -> None:
    thorough = MtcnnDetector(DetectorSettings(working_side_px=4096, max_working_side_px=4096))
    files = sorted((shared / "data" / "crawl" / "flickr").glob("*.jpg"))[:2]
    assert len(files) == 2
    for file in files:
        rgb = decode(file.read_bytes(), max_pixels=10_000_000).rgb
        found = detector.detect([rgb])[0]
        for face in thorough.detect([rgb])[0]:
            if face.height >= 64 and face.confidence >= 0.99:
                assert max(box_iou(face.box, other.box) for other in found) > 0.7, file.name


@pytest.mark.parametrize(
    ("height", "width", "canvas", "min_face_px"),
    [
        (300, 400, (320, 448, 3), 64),  # as it is, filled up to steps of 64
        (750, 1000, (384, 448, 3), 28),  # 448 wide; 64 px shrink to 28.7
        (3000, 4000, (960, 1280, 3), 20),  # 1250 wide, so that 64 px keep 20
        (4000, 10000, (832, 2048, 3), 12),  # the largest copy: smaller faces are given up
        (1, 1, (64, 64, 3), 64),
    ],
)
def test_a_working_copy_is_as_small_as_the_smallest_face_allows(
    height: int, width: int, canvas: tuple[int, ...], min_face_px: int
) -> None:
    copy = working_copy(np.full((height, width, 3), 9, np.uint8), DetectorSettings())
    rows, columns = round(height * copy.scale[1]), round(width * copy.scale[0])
    assert copy.canvas.shape == canvas
    assert copy.min_face_px == min_face_px
    assert (copy.canvas[:rows, :columns] == 9).all()
    assert (copy.canvas[rows:] == 127).all()
    assert (copy.canvas[:, columns:] == 127).all()


def test_the_fake_has_the_same_shape_of_answer() -> None:
    grey, black = np.full((300, 200, 3), 128, np.uint8), np.zeros((300, 200, 3), np.uint8)
    seen, nothing = FakeDetector().detect([grey, black])
    assert nothing == []
    assert [len(face.landmarks) for face in seen] == [5]
    assert seen[0].height == 100
