"""Object storage by URL: one opened bucket, for stores, crawls and exports.

`s3://`, `gs://`, `az://` and `https://` go through obstore (`obstore_access`), any other scheme
through fsspec (`fsspec_access`). Credentials come from where each provider's own tools look for
them, never from a URL; a server of one's own is named by AWS_ENDPOINT_URL. Whatever may pass is
tried again, for a bounded time and never two processes at the same moments; what is refused is one
line.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar

from pipelines.workspace.object_errors import Asked, refusal
from pipelines.workspace.object_places import PROVIDERS, WEB, Place

_T = TypeVar("_T")

EXTRA: Final = "pip install 'portrait-dataengine[stores]'"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long something is tried.

    Attributes:
        attempts: at most.
        first_seconds: longest pause after the first one; doubled after each. Pauses are drawn at
            random up to that, so that many processes do not come back together.
        longest_seconds: no pause is longer.
        silence_seconds: how long a server may say nothing before an attempt has failed.
    """

    attempts: int = 6
    first_seconds: float = 0.2
    longest_seconds: float = 5.0
    silence_seconds: float = 30.0


PATIENT: Final = Patience()


@dataclass(frozen=True, kw_only=True)
class Found:
    """An object as its server lists it.

    Attributes:
        path: below the opened place.
        size: bytes.
        modified: by the server's clock; some tell whole seconds only.
        e_tag: changes with the content; None: this server has none.
        version: of the object, in buckets that keep versions.
    """

    path: str
    size: int
    modified: datetime
    e_tag: str | None = None
    version: str | None = None


class Bucket(Protocol):
    """An opened place. Paths are relative to it, with `/` between folders.

    Every method may raise `AccessError`, which is one line for people.
    """

    place: Place

    def find(self, path: str) -> Found | None:
        """What is there; None: nothing."""

    def read(
        self, path: str, *, start: int = 0, size: int | None = None, e_tag: str | None = None
    ) -> bytes:
        """Bytes of an object, as many as it says that it has.

        Args:
            path: of the object.
            start: first byte.
            size: number of bytes from there; None: all.
            e_tag: the object must still have this one.

        Raises:
            MissingObjectError: it is not there.
            ChangedObjectError: it has another `e_tag`.
        """

    def stream(self, path: str, *, start: int = 0, e_tag: str | None = None) -> Iterator[bytes]:
        """Pieces of an object, in order; an answer that breaks off is gone on with.

        Raises:
            MissingObjectError, ChangedObjectError: as `read`.
        """

    def list(self, folder: str = "") -> Iterator[Found]:
        """All objects below a folder, however deep."""

    def folder(self, path: str = "") -> tuple[Sequence[Found], Sequence[str]]:
        """Objects directly in a folder, and the paths of folders in it, in no certain order."""

    def create(self, path: str, data: bytes) -> bool:
        """Write an object unless there is one; False: there is."""

    def replace(self, path: str, data: bytes) -> None:
        """Write an object, whatever was there."""

    def delete(self, path: str) -> None:
        """Remove an object, if it is there."""

    def signed_url(self, path: str, seconds: float) -> str:
        """Address by which anybody can read an object for some time."""


def open_place(place: Place, patience: Patience = PATIENT) -> Bucket:
    """Open a bucket; nothing is asked of it yet.

    A process that has asked anything must not be forked afterwards for others to ask on: start
    workers afresh, as `pipelines.work` does.

    Args:
        place: where.
        patience: how long what may pass is tried.

    Raises:
        AccessError: the scheme is unknown, a package is not installed, or the environment's
            settings do not go together.
    """
    if place.scheme not in (*PROVIDERS, *WEB):
        from pipelines.workspace.fsspec_access import FsspecBucket

        return FsspecBucket(place, patience)
    from pipelines.workspace.obstore_access import ObstoreBucket

    return ObstoreBucket(place, patience)


def patiently(work: Callable[[], _T], asked: Asked, patience: Patience) -> _T:
    """Do something, again while what is in its way may pass.

    Raises:
        AccessError: what is in its way stays.
    """
    for attempt in range(1, patience.attempts + 1):
        try:
            return work()
        except Exception as error:
            refused = refusal(error, asked)
        if attempt == patience.attempts or not refused.passes:
            # Without its cause, which may repeat an address with a signature.
            raise refused from None
        pause(attempt, patience)
    raise AssertionError("the last attempt returns or raises")


def pause(attempt: int, patience: Patience) -> None:
    """Wait after a failed attempt; the first is 1."""
    longest = min(patience.longest_seconds, patience.first_seconds * 2 ** (attempt - 1))
    time.sleep(random.uniform(0, longest))  # noqa: S311
