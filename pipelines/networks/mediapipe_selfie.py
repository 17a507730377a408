"""MediaPipe's selfie segmentation, from MediaPipe's own package: fetched once, rewritten as ONNX.

The packages of MediaPipe that go with this one hold no network any more, and the last that does
wants an older numpy and an OpenCV that overwrites this one's. So it is not installed: its file is
taken out of it. The network is under the Apache License 2.0.
"""

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from pipelines.workspace.errors import ModelError
from pipelines.workspace.user_folders import cache_home
from sinet.errors import SINetError
from sinet.uv import uv_command

PACKAGE: Final = "mediapipe==0.10.21"
MEGABYTES: Final = 35
"""Of the package."""

SHA256: Final = "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"
"""Of the network's file in it."""

_MEMBER: Final = "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite"
_METADATA: Final = {"mean": [0.0, 0.0, 0.0], "std": [255.0, 255.0, 255.0], "channel_order": "rgb"}
_VERSION: Final = 1
"""Of what is kept, if it is ever written otherwise."""

# The file is the same in the packages for all machines.
_FOR: Final = ("--no-deps", "--only-binary=:all:", "--python-version=3.12")
_PIP: Final = (*_FOR, "--platform=manylinux_2_28_x86_64")
_UV: Final = (*_FOR, "--python-platform=x86_64-manylinux_2_28")


def kept_file() -> Path:
    """Where the network is kept once it has been fetched."""
    return cache_home() / f"mediapipe-selfie-{SHA256[:16]}-{_VERSION}.onnx"


def check_installed() -> None:
    """Find out without fetching anything whether the network can be had.

    Raises:
        ModelError: the optional package that reads its file is missing.
    """
    if not kept_file().is_file() and importlib.util.find_spec("tflite") is None:
        raise ModelError(
            "mediapipe: MediaPipe's network needs an optional package: pip install "
            "'portrait-dataengine[mediapipe]', in a checkout uv run --extra mediapipe dataengine …"
        )


def fetched() -> Path:
    """The network as an ONNX file; fetched and rewritten if that was not done yet.

    Raises:
        ModelError: an optional package is missing, or MediaPipe's cannot be fetched.
    """
    kept = kept_file()
    if kept.is_file():
        return kept
    check_installed()
    from sinet.onnx.from_tflite import onnx_of_tflite

    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".mediapipe-", dir=kept.parent) as folder:
            content = _content(Path(folder))
            draft = Path(folder) / kept.name
            draft.write_bytes(onnx_of_tflite(content, _METADATA).SerializeToString())
            draft.replace(kept)
    except OSError as error:
        raise ModelError(f"{kept}: cannot be written ({error.strerror})") from error
    except SINetError as error:
        raise ModelError(f"mediapipe: {error}") from error
    return kept


def _content(folder: Path) -> bytes:
    """The network's file, out of the package."""
    command = [*_installer(), f"--target={folder / 'package'}", PACKAGE]
    told = " ".join(command[:-2])
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    file = folder / "package" / _MEMBER
    if done.returncode or not file.is_file():
        raise ModelError(
            f"mediapipe: {PACKAGE} ({MEGABYTES} MB) with the network could not be fetched: "
            f"{told} --target=DIR {PACKAGE} tells why; where there is no internet, bring "
            f"{kept_file()} along from another machine"
        )
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ModelError(f"mediapipe: the network in {PACKAGE} is another one than is known here")
    return content


def _installer() -> list[str]:
    """What installs packages here."""
    if uv := uv_command():
        return [*uv, "pip", "install", *_UV]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", *_PIP]
    raise ModelError("mediapipe: its package is fetched by uv or pip, and neither is here")
