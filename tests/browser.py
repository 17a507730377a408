"""The real browser of a test session: one for all, since Playwright drives one at a time.

Its camera shows the astronaut of scikit-image, to pages that are allowed to use it.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream",
]  # fmt: skip
WIDTH, HEIGHT = 640, 480


@pytest.fixture(scope="session")
def camera(astronaut: npt.NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera shows, as uncompressed video of one frame: a line, and planes Y, U and V."""
    frame = cv2.resize(astronaut[:384], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes()
    file = tmp_path_factory.mktemp("camera") / "astronaut.y4m"
    file.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 Ip A1:1 C420\nFRAME\n".encode() + planes)
    return file


def shown_by(camera: Path) -> npt.NDArray[np.uint8]:
    """The frame of the camera as a page sees it, uint8 (480, 640, 3) RGB."""
    planes = np.frombuffer(camera.read_bytes().partition(b"FRAME\n")[2], np.uint8)
    return np.asarray(
        cv2.cvtColor(planes.reshape(HEIGHT * 3 // 2, WIDTH), cv2.COLOR_YUV2RGB_I420), np.uint8
    )


@pytest.fixture(scope="session")
def browser(camera: Path) -> Iterator[Browser]:
    """Each page that it opens has cookies and storage of its own."""
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera}"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()
