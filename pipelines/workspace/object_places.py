"""Addresses of buckets and of folders in them, as they may stand in settings, rows and messages."""

import re
from dataclasses import dataclass
from typing import Final

from pipelines.workspace.object_errors import AccessError

PROVIDERS: Final = ("s3", "gs", "az")
WEB: Final = ("https", "http")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?]*)(?:/([^?]*))?(\?.*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket, or a folder in it, without any secret.

    Attributes:
        scheme: in lower case.
        bucket: or container, or a server's name and port.
        prefix: without slashes around it; may be empty.
    """

    scheme: str
    bucket: str
    prefix: str = ""

    @property
    def url(self) -> str:
        """As people write it, without a slash at its end."""
        return f"{self.root}/{self.prefix}".rstrip("/")

    @property
    def root(self) -> str:
        """Address of the bucket itself."""
        return f"{self.scheme}://{self.bucket}"

    def where(self, path: str) -> str:
        """Address of an object."""
        return f"{self.url}/{path}"


def parse_place(url: str) -> Place:
    """Read the URL of a bucket or of a folder in it.

    Raises:
        AccessError: it is none, or holds what may be a secret.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise AccessError(f"{shown_url(url)}: is no URL; write it like s3://bucket/folder")
    scheme, host, path = match[1].lower(), match[2], match[3] or ""
    user, at, _ = host.rpartition("@")
    if match[4] or (at and (":" in user or scheme in (*PROVIDERS, *WEB))):
        raise AccessError(
            f"{shown_url(url)}: write it without user, password and ?…; credentials are read from "
            "the environment and the files that the provider's own tools read"
        )
    if not host and scheme in (*PROVIDERS, *WEB):
        raise AccessError(f"{shown_url(url)}: names no bucket; write it like {scheme}://bucket/…")
    return Place(scheme=scheme, bucket=host, prefix=path.strip("/"))


def is_url(text: str) -> bool:
    """Whether something is meant as a URL rather than as a path."""
    return "://" in text


def shown_url(url: str) -> str:
    """A URL for messages, without its user, password and query."""
    head, colon, rest = url.partition("://")
    if not colon:
        return url.partition("?")[0]
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{head}://{host.rpartition('@')[2]}{slash}{path}"
