"""Releases start from the same workspaces as portraits; formats from portraits of EG1800."""

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from db import MaskSource, Split, Trust
from pipelines.pictures.decode import encode_jpeg
from pipelines.releases.entry import Entry
from pipelines.workspace.folder_store import FolderStore
from pipelines.workspace.store import BlobKind
from tests.pipelines.portraits.conftest import decide as decide
from tests.pipelines.portraits.conftest import portraits_template as portraits_template
from tests.pipelines.portraits.conftest import workspace as workspace


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return FolderStore(tmp_path_factory.mktemp("store"), "test")


@pytest.fixture(scope="session")
def entries(shared: Path, store: FolderStore) -> list[Entry]:
    """Portraits of EG1800 with their masks by hand, of many sizes; none of them in `val`."""
    data = shared / "data/eg1800"
    found = sorted((data / "images").iterdir())[:60:4]
    return [_entry(number, photo, store) for number, photo in enumerate(found)]


def _entry(number: int, photo: Path, store: FolderStore) -> Entry:
    (drawn,) = (photo.parents[1] / "masks").glob(f"{photo.stem}.*")
    width, height = 600 - 20 * number, 800 - 7 * number
    rgb = cv2.resize(np.asarray(Image.open(photo).convert("RGB")), (width, height))
    mask = cv2.resize(np.asarray(Image.open(drawn).convert("L")), (width, height))
    mask = np.asarray((mask > 127) * 255, np.uint8)
    if number == 3:
        mask[:] = 0  # an empty mask is a mask
    png = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
    imported = number % 2 == 0
    return Entry(
        name=f"{(7 * number) % 15:012x}-0",
        split=Split.TEST if number % 3 == 0 else Split.TRAIN,
        trust=Trust.IMPORTED if imported else Trust.ACCEPTED,
        portrait_id=number + 1,
        mask_id=number + 1,
        group_id=1,
        image_blob=store.put(BlobKind.PORTRAIT, encode_jpeg(rgb, 95)),
        mask_blob=store.put(BlobKind.MASK, png),
        width=width,
        height=height,
        photo_sha256="ab" * 32,
        crop_box=(10, 20, 10 + width, 20 + height),
        face_height=100.5,
        mask_source=MaskSource.IMPORT if imported else MaskSource.TEACHER,
        mask_revision=1,
        producer="somebody",
        verdict="candidate",
        reasons=() if imported else ("blurry", "holes"),
        scores={"area": 0.5} if imported else {"confidence": 0.25 / (number + 1), "area": 0.5},
        decided_at=None if imported else datetime(2026, 3, 1, 12, tzinfo=UTC),
    )
