"""Ray, as far as it is needed here: joined, asked for its machines, told what a worker is.

Ray places workers, starts them on machines that come and says which are gone. It keeps nothing of
the work: what is done and what is not stands in the database alone.
"""

import os
import pickle
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pipelines.workspace.errors import WorkerError

HERE: Final = "ray"
"""Of `--on`: the cluster that this machine belongs to, or RAY_ADDRESS names."""

_CLIENT: Final = "ray://"
_CLIENT_PORT: Final = 10001
_ANSWER_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine of a cluster, and what Ray may give away of it."""

    node: str
    name: str
    cores: int
    gpus: int


def check_address(address: str) -> None:
    """Find what is mistyped.

    Raises:
        WorkerError: `--on` takes something else.
    """
    if address == HERE:
        return
    if not address.startswith(_CLIENT):
        raise WorkerError(f"--on {address}: give {HERE}, or {_CLIENT}HOST of another cluster")
    try:
        told = urlsplit(address)
        is_whole = bool(told.hostname) and told.port != 0 and told.path.strip("/") == ""
    except ValueError:
        is_whole = False
    if not is_whole or told.query or told.username:
        raise WorkerError(f"--on {_CLIENT}…: wants a host and maybe a port, {_CLIENT}HOST:10001")


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """Be a driver of a cluster for a while; actors that were started meanwhile end with it.

    Args:
        address: `HERE`, or ``ray://HOST[:PORT]``.

    Yields:
        The module `ray`.

    Raises:
        WorkerError: the package is missing, no Ray answers there, or it is another version.
    """
    check_address(address)
    ray = _imported()
    place = _place(address)
    _require_answer(place)
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=place, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except (ConnectionError, TimeoutError) as error:
        raise _no_ray(place, _first_line(error)) from error
    except RuntimeError as error:
        if "ersion mismatch" not in str(error):
            raise
        told = " ".join(str(error).split())
        raise WorkerError(f"{place}: {told}; install the same on all machines") from error
    finally:
        # What Ctrl-C and SIGTERM mean is the command's to say.
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
    try:
        yield ray
    finally:
        ray.shutdown()


def machines(ray: Any) -> list[Machine]:
    """Those that are alive, in one order."""
    found = [
        Machine(
            node=each["NodeID"],
            name=str(each.get("NodeManagerHostname") or each.get("NodeManagerAddress")),
            cores=int(each["Resources"].get("CPU", 0)),
            gpus=int(each["Resources"].get("GPU", 0)),
        )
        for each in ray.nodes()
        if each["Alive"]
    ]
    return sorted(found, key=lambda each: each.node)


def actor_class() -> type:
    """What Ray runs on its machines.

    It travels by value, since it is not a module's, and needs nothing but Python's own library
    until it knows that the machine has the same versions: whatever else it is sent would be read
    by another program than the one that wrote it.
    """

    class DataengineWorker:
        """A worker of `dataengine`."""

        def __init__(self, wanted: dict[str, str], order: bytes) -> None:
            self._station: Any = None
            self._broken = ""
            try:
                there = self.versions()
                for name, version in wanted.items():
                    if there[name] != version:
                        self._broken = (
                            f"has {name} {there[name]}, and {version} is at work here: install the "
                            "same on all machines"
                        )
                        return
                from pipelines.work.station import Station

                self._station = Station(pickle.loads(order))  # noqa: S301
            except ImportError as error:
                self._broken = (
                    f"lacks {error.name or error}: install portrait-dataengine there, with the "
                    "extras cluster, postgres and stores"
                )

        @staticmethod
        def versions() -> dict[str, str]:
            """Of everything that has to be equal."""
            import platform
            from importlib.metadata import PackageNotFoundError, version

            found = {"Python": ".".join(platform.python_version_tuple()[:2])}
            for name in ("ray", "portrait-dataengine"):
                try:
                    found[name] = version(name)
                except PackageNotFoundError:
                    raise ImportError(name, name=name) from None
            return found

        def name(self) -> str:
            """Of the machine."""
            return socket.gethostname()

        def news(self, seconds: float) -> list[tuple[str, Any]]:
            """What happened since, waited for so long."""
            if self._station is None:
                return [("broken", self._broken), ("ended", None)]
            told: list[tuple[str, Any]] = self._station.news(seconds)
            return told

        def stop(self) -> None:
            """Let it end after its batch."""
            if self._station is not None:
                self._station.stop()

    return DataengineWorker


def _imported() -> Any:
    # Under `uv run` Ray would send the current folder to every machine, and install anew there what
    # it finds in it; here all machines have the same installed, and are asked whether they do.
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise WorkerError(
            "--on ray needs the Python package ray, which is not installed: `pip install "
            "'portrait-dataengine[cluster]'`"
        ) from error
    return ray


def _place(address: str) -> str:
    """Where a cluster answers: ``HOST:PORT``, or ``ray://HOST:PORT``.

    Raises:
        WorkerError: there is none on this machine, and none is named.
    """
    if address == HERE:
        address = os.environ.get("RAY_ADDRESS") or "auto"
    if address == "auto":
        from ray._private.services import canonicalize_bootstrap_address_or_die

        try:
            return str(canonicalize_bootstrap_address_or_die("auto"))
        except (ConnectionError, ValueError) as error:
            raise _no_ray("this machine", "none runs") from error
    if address.startswith(_CLIENT) and urlsplit(address).port is None:
        address = f"{address.rstrip('/')}:{_CLIENT_PORT}"
    return address.rstrip("/")


def _require_answer(place: str) -> None:
    """Ask before Ray does, which waits for minutes."""
    told = urlsplit(place if "://" in place else f"tcp://{place}")
    try:
        socket.create_connection((told.hostname or "", told.port or 0), _ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise _no_ray(place, getattr(error, "strerror", None) or str(error)) from error


def _no_ray(place: str, why: str) -> WorkerError:
    return WorkerError(
        f"{place}: no Ray cluster answers there ({why[:1].lower()}{why[1:]}): start one with `ray "
        "start --head`, or name one as --on ray://HOST"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
