"""Buckets through obstore: `s3://`, `gs://`, `az://`, and what `https://` servers hold."""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from pipelines.workspace.object_access import EXTRA, PATIENT, Found, Patience, patiently, pause
from pipelines.workspace.object_errors import (
    AccessError,
    Asked,
    BeyondEndError,
    MissingObjectError,
    refusal,
)
from pipelines.workspace.object_places import WEB, Place, shown_url

_T = TypeVar("_T")

_SERVERS: Final = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_LIST_PIECE = 1000
# Any of them says where credentials come from, so that no file is asked.
_TOLD: Final = (
    "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)  # fmt: skip


class ObstoreBucket:
    """See `Bucket`."""

    def __init__(self, place: Place, patience: Patience = PATIENT) -> None:
        self.place = place
        self._patience = patience
        self._process = os.getpid()
        self._server = _server(place)
        self._region: str | None = None
        self._client = patiently(self._open, self._asked("", "read"), patience)

    def find(self, path: str) -> Found | None:
        """See `Bucket`."""
        try:
            return _found(self._ask(path, "read", lambda: self._client.head(path)))
        except AccessError as error:
            if error.passes:
                raise
        # The answer to HEAD has no body, which would say if it is the bucket that is missing, or
        # what else is refused.
        try:
            self._ask(path, "read", lambda: self._client.get(path))
        except MissingObjectError:
            return None
        return _found(self._ask(path, "read", lambda: self._client.head(path)))

    def read(
        self, path: str, *, start: int = 0, size: int | None = None, e_tag: str | None = None
    ) -> bytes:
        """See `Bucket`."""
        if size == 0:
            return b""

        def get() -> bytes:
            answer = self._client.get(path, options=_options(start, size, e_tag))
            wanted = answer.range[1] - answer.range[0]
            data = bytes(answer.bytes())
            if len(data) != wanted:
                raise AccessError(
                    f"{self.place.where(path)}: the server sent {len(data):,} of {wanted:,} bytes, "
                    "again and again",
                    passes=True,
                )
            return data

        try:
            return self._ask(path, "read", get)
        except BeyondEndError:
            return b""

    def stream(self, path: str, *, start: int = 0, e_tag: str | None = None) -> Iterator[bytes]:
        """See `Bucket`."""
        position, end, attempt = start, None, 0
        while end is None or position < end:
            try:
                answer = self._client.get(path, options=_options(position, None, e_tag))
                end, e_tag = answer.meta["size"], answer.meta["e_tag"] or e_tag
                for piece in answer.stream():
                    data = bytes(piece)
                    position, attempt = position + len(data), 0
                    yield data
                if position < end:
                    raise OSError("ends too early")
            except Exception as error:
                refused = refusal(error, self._asked(path, "read"))
                if isinstance(refused, BeyondEndError):
                    return
                attempt += 1
                if attempt >= self._patience.attempts or not refused.passes:
                    raise refused from None
                pause(attempt, self._patience)

    def list(self, folder: str = "") -> Iterator[Found]:
        """See `Bucket`."""
        last, attempt = None, 0
        while True:
            try:
                pieces = self._client.list(folder or None, offset=last, chunk_size=_LIST_PIECE)
                for piece in pieces:
                    attempt = 0
                    for each in piece:
                        yield _found(each)
                        last = each["path"]
                return
            except Exception as error:
                refused = refusal(error, self._asked(folder, "list"))
                attempt += 1
                if attempt >= self._patience.attempts or not refused.passes:
                    raise refused from None
                pause(attempt, self._patience)

    def folder(self, path: str = "") -> tuple[Sequence[Found], Sequence[str]]:
        """See `Bucket`."""
        prefix = path.strip("/") or None
        answer = self._ask(path, "list", lambda: self._client.list_with_delimiter(prefix))
        return [_found(each) for each in answer["objects"]], list(answer["common_prefixes"])

    def create(self, path: str, data: bytes) -> bool:
        """See `Bucket`."""
        from obstore.exceptions import AlreadyExistsError

        def put() -> bool:
            try:
                self._client.put(path, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

        return self._ask(path, "write", put)

    def replace(self, path: str, data: bytes) -> None:
        """See `Bucket`."""
        self._ask(path, "write", lambda: self._client.put(path, data, use_multipart=False))

    def delete(self, path: str) -> None:
        """See `Bucket`."""
        try:
            self._ask(path, "remove", lambda: self._client.delete(path))
        except MissingObjectError:
            return

    def signed_url(self, path: str, seconds: float) -> str:
        """See `Bucket`."""
        from obstore import sign

        def signed() -> str:
            return str(sign(self._client, "GET", path, timedelta(seconds=seconds)))

        return self._ask(path, "read", signed)

    def _ask(self, path: str, to: str, work: Callable[[], _T]) -> _T:
        if os.getpid() != self._process:
            # Its threads stayed with the parent: a request would never be answered.
            raise RuntimeError("a bucket is asked in another process than opened it")
        return patiently(work, self._asked(path, to), self._patience)

    def _asked(self, path: str, to: str) -> Asked:
        return Asked(
            where=self.place.where(path).rstrip("/"),
            bucket=self.place.root,
            server=self._server,
            to=to,
            region=self._region,
        )

    def _open(self) -> Any:
        try:
            from obstore import store
        except ImportError as error:
            raise AccessError(
                f"{self.place.url}: needs the Python package obstore, which is not installed: "
                f"`{EXTRA}`"
            ) from error
        options: dict[str, Any] = {
            # A shard takes as long as it takes; only silence ends an attempt.
            "timeout": timedelta(days=1),
            "connect_timeout": timedelta(seconds=min(10.0, self._patience.silence_seconds)),
            "read_timeout": timedelta(seconds=self._patience.silence_seconds),
        }
        if self.place.scheme == "http" or (self._server or "").startswith("http://"):
            options["allow_http"] = True
        # Tried again here, where it is counted over what a library tries again and what not.
        once = {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}
        more: dict[str, Any] = {"client_options": options, "retry_config": once}
        if self.place.scheme in WEB:
            return store.HTTPStore.from_url(self.place.url, **more)
        if self.place.scheme == "s3":
            more |= _aws_files()
            environment = os.environ
            self._region = (
                more.get("region")
                or environment.get("AWS_REGION")
                or environment.get("AWS_DEFAULT_REGION")
                or "us-east-1"
            )
        made = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
        return made[self.place.scheme](self.place.bucket, prefix=self.place.prefix or None, **more)


def _server(place: Place) -> str | None:
    """The server that the environment names for a provider."""
    names = _SERVERS.get(place.scheme, ())
    return next((shown_url(os.environ[name]) for name in names if os.environ.get(name)), None)


def _aws_files() -> dict[str, Any]:
    """What ~/.aws says, where the environment says nothing; boto3 knows how to read it."""
    named = (os.environ.get(name) for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"))
    usual = ("~/.aws/credentials", "~/.aws/config")
    files = [Path(name or path).expanduser() for name, path in zip(named, usual, strict=True)]
    there = next((file for file in files if file.is_file()), None)
    if there is None or any(os.environ.get(name) for name in _TOLD):
        return {}
    try:
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        raise AccessError(
            f"{there}: is read by boto3, which is not installed: `{EXTRA}`"
        ) from error
    try:
        provider = Boto3CredentialProvider()
    except (BotoCoreError, ValueError) as error:
        raise AccessError(f"{there}: holds no credentials to use ({error})") from None
    return {"credential_provider": provider, **provider.config}


def _options(start: int, size: int | None, e_tag: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if size is not None:
        options["range"] = (start, start + size)
    elif start:
        options["range"] = {"offset": start}
    if e_tag is not None:
        options["if_match"] = e_tag
    return options


def _found(meta: Any) -> Found:
    return Found(
        path=meta["path"],
        size=meta["size"],
        modified=meta["last_modified"],
        e_tag=meta["e_tag"],
        version=meta["version"],
    )
