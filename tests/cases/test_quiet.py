"""No library writes lines of its own to the terminal, whatever is wrong with a file."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import FAST_INGEST
from tests.sinet.pictures.test_intact import chunk, jpeg, png

# How libraries begin their lines, and what Python prints of warnings.
FOREIGN = re.compile(
    r"libpng|libjpeg|TIFF\w*:|JPEG data|jasper|openjpeg|OpenCV|\[ ?WARN|Warning:|site-packages",
    re.I,
)


def make_damaged(folder: Path) -> None:
    """Files that libpng, libtiff, libjpeg and Pillow complain of."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (200, 150, 3)).astype(np.uint8)
    image, exif = Image.fromarray(noise), Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    whole = jpeg()
    files = {
        "profile.png": png((b"iCCP", b"Broken\0\0no profile"), (b"sRGB", b"\7")),
        "chunk.png": png()[:33] + chunk(b"tEXt", b"C\0x", wrong=1) + png()[33:],
        "garbage.jpg": whole[:-2] + b"\x12\x34\x56\xff\xd9",
        "bits.jpg": whole[:400] + bytes(40) + whole[440:],
        "cut.jpg": whole[:-300],
        "exif.jpg": jpeg(exif=exif.tobytes()[:-7] + b"\xff" * 7),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    for name in ("strange.tif", "cut.tif"):
        image.save(folder / name, compression="tiff_lzw", tiffinfo={65000: "unknown", 700: b"x"})
    (folder / "cut.tif").write_bytes((folder / "strange.tif").read_bytes()[:-400])
    for name in ("cut.webp", "cut.avif", "cut.jp2", "cut.gif"):
        image.save(folder / name)
        (folder / name).write_bytes((folder / name).read_bytes()[:-900])


def run(*arguments: str | Path, **settings: str) -> tuple[str, str]:
    environment = {**os.environ, **FAST_INGEST, **settings}
    program = "from dataengine.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, ran.stderr


def test_ingest_and_predict_say_only_what_they_mean(tmp_path: Path) -> None:
    make_damaged(tmp_path / "raw")
    workers = {"DATAENGINE_ENGINE__WORKERS": "1"}
    _, told = run("-w", tmp_path / "ws", "ingest", tmp_path / "raw", **workers)
    assert not FOREIGN.search(told)
    _, told = run("predict", "sinet:bundled", tmp_path / "raw", "--out", tmp_path / "out")
    assert not FOREIGN.search(told)
    assert told.count(f"failed: {tmp_path}/raw/") == told.count("failed: ") >= 5
