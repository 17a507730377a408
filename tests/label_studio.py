"""A real Label Studio for tests: its migrated data folder is made once, kept, and copied."""

import os
import shutil
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipelines.label_studio.server import VERSION, LocalServer, local_server
from pipelines.workspace.errors import ServerStartError
from pipelines.workspace.local_servers import LOG_FILE


class RealServer:
    """A running server whose process may be killed and started again.

    Attributes:
        root: folder whose subfolders it can serve; workspaces for it belong there.
    """

    def __init__(self, data_dir: Path, root: Path) -> None:
        self.root = root
        self._data_dir = data_dir
        self._running = ExitStack()
        self.server = self._running.enter_context(local_server(data_dir, root))

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def token(self) -> str:
        return self.server.login.token

    @property
    def log(self) -> str:
        return (self._data_dir / LOG_FILE).read_text(errors="replace")

    def kill(self) -> None:
        """As if the machine had lost power."""
        os.killpg(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()

    def start_again(self) -> None:
        """On the same port, with the same data."""
        port = int(self.url.rpartition(":")[2])
        self._running.close()
        self.server: LocalServer = self._running.enter_context(
            local_server(self._data_dir, self.root, port)
        )

    def stop(self) -> None:
        self._running.close()


def start_server(folder: Path) -> RealServer:
    """Start a server for a test session, or skip where that is not possible.

    Args:
        folder: empty; holds its data and the workspaces it serves.
    """
    root = folder / "served"
    root.mkdir()
    try:
        data_dir = folder / "data"
        shutil.copytree(_migrated_data(), data_dir)
        (data_dir / "login.json").chmod(0o600)
        return RealServer(data_dir, root)
    except ServerStartError as error:
        pytest.skip(f"no Label Studio here: {error}")


def _migrated_data() -> Path:
    """A data folder whose database is migrated (a minute), kept for later sessions."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = home / "dataengine-tests" / f"label-studio-{VERSION}"
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as temporary:
        made = Path(temporary) / "data"
        with local_server(made, Path(temporary)):
            pass
        (made / LOG_FILE).unlink()
        try:
            made.rename(kept)
        except OSError:  # another session was quicker
            if not kept.is_dir():
                raise
    return kept
