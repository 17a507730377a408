"""Azurite, Microsoft's own emulator of its object storage, from npm: for campaigns.

Its account and key are printed in its documentation and open nothing else.
"""

import atexit
import functools
import itertools
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

from tests.ports import free_port

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_START_SECONDS = 180


class Server:
    """A server that runs; each test has containers of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self._numbers = itertools.count()
        self._process = subprocess.Popen(
            [
                "npx", "--yes", "--package", "azurite@3.35.0", "azurite-blob",
                "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--inMemoryPersistence",
                "--skipApiVersionCheck", "--silent", "--disableTelemetry",
            ],
            cwd=tempfile.gettempdir(),
            stdout=subprocess.DEVNULL,
            process_group=0,
        )  # fmt: skip
        atexit.register(self._stop)
        self._wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    @functools.cached_property
    def client(self) -> Any:
        """Another program's client."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(self.url, credential=KEY)

    def environment(self) -> dict[str, str]:
        """By which a process reaches it."""
        return {
            "AZURE_STORAGE_ENDPOINT": self.url,
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        }

    def container(self) -> str:
        """The name of a fresh one."""
        name = f"container-{next(self._numbers)}"
        self.client.create_container(name)
        return name

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.url}?comp=list", timeout=5)
            except urllib.error.HTTPError:
                return  # it answers, and wants a key
            except OSError:
                assert self._process.poll() is None, "npx could not start azurite"
                time.sleep(0.2)
        raise TimeoutError("azurite did not answer")

    def _stop(self) -> None:

        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()


@functools.cache
def server() -> Server:
    """The one of this session."""
    return Server()
