"""A Ray cluster of the test session's own: two machines of one core each, on this one.

Its machines reach object storage by a road on which things go wrong, and have a cache each, so that
they know of each other by the database alone.
"""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import CHECKOUT
from tests.object_storage import Road
from tests.object_storage import server as storage
from tests.ports import free_port, wait_for

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "5",
}


class Machines:
    """A head that gives no core, and machines that give one each.

    Attributes:
        address: of the head.
        road: to object storage.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dataengine-ray-", dir="/tmp"))
        self.road = Road(storage().port)
        os.environ |= {**SETTINGS, "RAY_TMPDIR": str(self.folder)}
        stay_on_loopback()
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        self.address = str(self._cluster.address)
        self._number = 0
        self.nodes: list[Any] = []
        self.refill()

    @property
    def environment(self) -> dict[str, str]:
        return storage().environment(self.road.url)

    def add(self) -> Any:
        """Another machine."""
        self._number += 1
        cache = self.folder / f"cache-{self._number}"
        told = {**self.environment, "XDG_CACHE_HOME": str(cache)}
        return self._cluster.add_node(num_cpus=1, env_vars=told)

    def lose(self) -> None:
        """A machine goes without a word; another one comes later."""
        self._cluster.remove_node(self.nodes.pop(), allow_graceful=False)

    def refill(self) -> None:
        while len(self.nodes) < 2:
            self.nodes.append(self.add())

    @contextmanager
    def gate(self) -> Iterator[str]:
        """The address for those outside, whom a server beside the head answers (port 10001)."""
        port = free_port()
        program = (
            "from tests.ray_cluster import stay_on_loopback; stay_on_loopback(); "
            "from ray.util.client.server.server import main; main()"
        )
        place = ("--host", "127.0.0.1", "--port", str(port), "--address", self.address)
        process = subprocess.Popen(
            [sys.executable, "-c", program, *place, "--mode", "specific-server"],
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(port)
            yield f"ray://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()

    def workers(self) -> list[psutil.Process]:
        """The actors' processes."""
        return [
            each
            for each in psutil.process_iter(["cmdline"])
            if "DataengineWorker" in " ".join(each.info["cmdline"] or ())
            and each.environ().get("RAY_TMPDIR") == str(self.folder)
        ]

    def close(self) -> None:
        self._cluster.shutdown()
        self.road.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def stay_on_loopback() -> None:
    """Ray asks for the address of a machine that others can reach; here are no others."""
    os.environ |= SETTINGS
    import ray._private.services as services
    import ray.util

    def here(*_: object, **__: object) -> str:
        return "127.0.0.1"

    ray.util.get_node_ip_address = services.get_node_ip_address = here
    services.resolve_ip_for_localhost = here


@functools.cache
def cluster() -> Machines:
    """The session's, started when it is first asked for."""
    started = Machines()
    atexit.register(started.close)
    return started
