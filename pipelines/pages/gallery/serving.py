"""LightlyStudio on this machine, for this machine alone, as long as somebody looks.

It runs in an environment of its own. What it shows lies in a folder that is there only meanwhile;
what stays is the journal of tags. Whoever has not been given the token sees nothing.
"""

import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pipelines.pages.gallery.dataset import GalleryDataset, journal_of
from pipelines.workspace.errors import PipelineError, ServerStartError
from pipelines.workspace.local_servers import (
    LOG_FILE,
    Program,
    claim_data_dir,
    data_dir_of,
    ended,
    start,
    stop,
    wait_until_it_answers,
)
from pipelines.workspace.ports import HOST, claim_port
from pipelines.workspace.user_folders import data_home
from sinet.json_text import to_json

PACKAGE: Final = "lightly-studio==1.2.0"
"""The one that the tests look at."""

_TITLE: Final = "LightlyStudio"
_FIRST_PORT: Final = 8180
_INSTALLED: Final = "gallery: installed"
# The very first start may have to fetch some gigabytes.
_START_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 5.0
_HIDDEN: Final = (
    "LIGHTLY", "DATAENGINE_", "LABEL_STUDIO_", "AWS_", "AZURE_", "GOOGLE_", "HF_", "PG", "FAL_",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a gallery will be: nobody else can take it meanwhile.

    Attributes:
        port: on the loopback interface.
        data_dir: of what stays.
        session: folder of what is there only meanwhile; empty at first.
        claims: of port and folder.
    """

    port: int
    data_dir: Path
    session: Path
    claims: tuple[IO[bytes], ...]

    @property
    def journal(self) -> Path:
        """Of its tags."""
        return journal_of(self.data_dir)


@dataclass(frozen=True, kw_only=True)
class RunningGallery:
    """A gallery that can be looked at.

    Attributes:
        url: to open, with the token: for whoever started it, and nobody else.
        log: what it says.
        process: leader of its process group.
    """

    url: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def wait(self) -> None:
        """Return when the gallery has ended by itself.

        Raises:
            ServerStartError: always, since it is not meant to.
        """
        raise ServerStartError(ended(_TITLE, self.process.wait(), self.log))


def default_gallery_dir(workspace: Path) -> Path:
    """Where the gallery of a workspace keeps its journal: outside of the workspace."""
    return data_dir_of("gallery", workspace)


@contextmanager
def gallery_place(data_dir: Path, port: int | None = None) -> Iterator[Place]:
    """Take a port and a data folder; at the end nothing is left but the journal and the log.

    Args:
        data_dir: made if it is not there.
        port: default the first free one from 8180.

    Raises:
        ServerStartError: the port or the folder is in use, or the folder cannot be written to.
    """
    port, claim = claim_port(data_home() / "ports", port, _FIRST_PORT)
    session = data_dir.absolute() / "session"
    with claim:
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            text = f"{data_dir}: {error.strerror}; choose another --data-dir"
            raise ServerStartError(text) from error
        with claim_data_dir(data_dir, "gallery") as lock:
            try:
                # Of one that was killed.
                shutil.rmtree(session, ignore_errors=True)
                session.mkdir(mode=0o700)
                yield Place(
                    port=port,
                    data_dir=data_dir.absolute(),
                    session=session,
                    claims=(lock, claim),
                )
            finally:
                shutil.rmtree(session, ignore_errors=True)


@contextmanager
def running_gallery(place: Place, dataset: GalleryDataset) -> Iterator[RunningGallery]:
    """Start a gallery, wait until it answers, and stop it at the end of the block.

    Raises:
        ServerStartError: uv is missing, LightlyStudio cannot be installed, or it ended.
    """
    said = {
        "name": dataset.name,
        "network": dataset.network,
        "journal": str(place.journal),
        "port": place.port,
    }
    (place.session / "gallery.json").write_text(to_json(said), encoding="utf-8")
    token, log = secrets.token_urlsafe(24), place.data_dir / LOG_FILE
    url = f"http://{HOST}:{place.port}"
    with log.open("wb") as file:
        process = start(_program(place.session, token), place.claims, file)
    try:
        cookie = {"Cookie": f"gallery_{place.port}={token}"}
        request = urllib.request.Request(f"{url}/healthz", headers=cookie)  # noqa: S310 - http
        try:
            wait_until_it_answers(
                process, request, _START_SECONDS, lambda code: _why_it_ended(code, log)
            )
        except (urllib.error.HTTPError, TimeoutError) as error:
            raise ServerStartError(
                f"{url} is not the gallery that was started ({error}); see {log}, or choose "
                "another --port"
            ) from error
        yield RunningGallery(url=f"{url}/?token={token}", log=log, process=process)
    finally:
        stop(process)


def settled_journal(data_dir: Path) -> Path:
    """Find the journal of a gallery; of one that is running, once it has looked again.

    Args:
        data_dir: of the gallery.

    Raises:
        PipelineError: no gallery was ever opened there.
    """
    journal, began = journal_of(data_dir), time.time()
    if not journal.exists():
        raise PipelineError(
            f"{data_dir}: no gallery was opened there yet; `dataengine gallery` opens one"
        )
    while _is_running(data_dir) and time.time() < began + _LOOK_SECONDS:
        if journal.stat().st_mtime > began:
            break
        time.sleep(0.1)
    return journal


def _is_running(data_dir: Path) -> bool:
    try:
        claim_data_dir(data_dir, "gallery").close()
    except ServerStartError:
        return True
    return False


def _program(session: Path, token: str) -> Program:
    return Program(
        title=_TITLE,
        package=PACKAGE,
        command=("python", str(Path(__file__).with_name("studio.py")), str(session)),
        environment={
            "GALLERY_TOKEN": token,
            "LIGHTLY_STUDIO_ANALYTICS_ENABLED": "false",
            "LIGHTLY_STUDIO_MODEL_CACHE_DIR": str(session / "models"),
            "HF_HUB_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
        },
        hidden=_HIDDEN,
        folder=session,
        options=("--python", f"{sys.version_info.major}.{sys.version_info.minor}"),
    )


def _why_it_ended(code: int, log: Path) -> str:
    said = log.read_text(errors="replace")
    if _INSTALLED in said:
        return ended(_TITLE, code, log)
    last = " / ".join(said.strip().splitlines()[-3:])
    return (
        f"{_TITLE} could not be installed, which its first start needs the network for; see {log}, "
        f"which ends: {last}"
    )
