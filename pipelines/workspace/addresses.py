"""Addresses of what lies elsewhere: buckets, the Hugging Face Hub, the web.

Typed as other programs take them (`s3://bucket/some key.jpg`), kept as URIs that are
percent-encoded like those of files, so that `#` stands between an archive and its member alone. An
address that carries a key, a signature or a password is refused: nothing of it may reach a row, a
log or a message.
"""

import re
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pipelines.workspace.errors import ScanError
from pipelines.workspace.object_places import PROVIDERS, WEB

HUB: Final = "hf"
_ALIASES: Final = {"gcs": "gs", "azure": "az", "abfs": "az", "abfss": "az", "s3a": "s3"}
_ADDRESS: Final = re.compile(r"(?!file:)([a-z][a-z0-9+.\-]+)://", re.IGNORECASE)
# What signs a request or lets somebody in, by names of query parameters in small letters.
_SECRETS: Final = re.compile(
    r"^(x-(amz|goog|oss|ms)-.*|.*(signature|secret|password|passwd|credential|token|api_?key).*"
    r"|sig|sign|key|auth|authorization|session|jwt|pwd|awsaccesskeyid"
    r"|googleaccessid|key-pair-id|policy|access_?key.*|private.*)$"
)
_PLAIN: Final = "/:@!$&'()*+,;=~-._"


def is_address(text: str) -> bool:
    """Whether a text is an address of something elsewhere; `file://` is none."""
    return _ADDRESS.match(text.strip()) is not None


def is_remote(uri: str) -> bool:
    """Whether a URI of the database names something elsewhere."""
    return not uri.startswith("file://")


def scheme_of(uri: str) -> str:
    """`s3`, `gs`, `az`, `hf`, `https`, `http` or `file`."""
    return uri.partition("://")[0]


def address_uri(text: str) -> str:
    """The URI of what an address names.

    Args:
        text: as it is typed, or stands in a list: a bucket's key as it is, a web address encoded.

    Raises:
        ScanError: of a scheme that is not known, without a bucket or host, or with a key,
            signature or password in it. The message holds none of these.
    """
    text = text.strip()
    match = _ADDRESS.match(text)
    scheme = match[1].lower() if match else ""
    scheme = _ALIASES.get(scheme, scheme)
    if match is None or scheme not in (*PROVIDERS, HUB, *WEB):
        known = ", ".join(f"{each}://" for each in (*PROVIDERS, HUB, *WEB))
        raise ScanError(f"{scheme or 'this'}:// is no kind of address known here: give {known}")
    rest = text[match.end() :]
    if scheme in WEB:
        return _web_uri(scheme, text)
    bucket, _, key = rest.partition("/")
    if "@" in bucket or (scheme != HUB and ":" in bucket):
        raise ScanError(
            f"{scheme}://…@…: an address with a key or password in it; nothing of it is kept: name "
            "the bucket alone and put the credentials into the environment or their usual file"
        )
    if not bucket or (scheme == HUB and not key.strip("/")):
        wanted = "hf://datasets/OWNER/NAME" if scheme == HUB else f"{scheme}://BUCKET/FOLDER"
        raise ScanError(f"{text!r}: names no bucket or repository; give {wanted}")
    return f"{scheme}://{quote(bucket, safe='')}/{quote(key, safe='/')}"


def address_text(uri: str) -> str:
    """A URI of something elsewhere as people write it."""
    if scheme_of(uri) in WEB:
        return uri
    return unquote(uri)


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Of a bucket's or the hub's URI, decoded."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return unquote(bucket), unquote(key)


def suffix_of(uri: str) -> str:
    """Suffix of what a URI names, in small letters; of a web address without its query."""
    path = unquote(urlsplit(uri).path) if scheme_of(uri) in WEB else address_text(uri)
    name = path.rpartition("/")[2]
    suffix = PurePosixPath(name).suffix.lower() if name else ""
    return (
        f".tar{suffix}" if name.lower().endswith(f".tar{suffix}") and suffix != ".tar" else suffix
    )


def without_query(uri: str) -> str:
    """A web address as it may be shown, whatever it carries."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def holds_secret(text: str) -> bool:
    """Whether an address of the web carries a key, a signature or a password."""
    try:
        parts = urlsplit(text.strip())
        return "://" in text and _secret_in(parts) is not None
    except ValueError:
        return False


def resolved(base: str, text: str) -> str:
    """The URI of a name in a list that lies elsewhere itself.

    Args:
        base: URI of the list.
        text: a name relative to the list's folder, or an address.

    Raises:
        ScanError: as `address_uri`, or the name leads out of the bucket or host.
    """
    if is_address(text):
        return address_uri(text)
    folder = address_text(base).partition("?")[0].rpartition("/")[0]
    scheme, _, rest = folder.partition("://")
    root, _, path = rest.partition("/")
    parts: list[str] = [] if text.startswith("/") else [each for each in path.split("/") if each]
    for part in text.split("/"):
        if part == ".." and not parts:
            raise ScanError(f"{text!r}: leads out of {scheme}://{root}")
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return address_uri(f"{scheme}://{root}/{'/'.join(parts)}")


def _web_uri(scheme: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ScanError("an address of the web that cannot be read; check its host") from None
    if not host:
        raise ScanError(f"{scheme}://: names no host; give {scheme}://HOST/PATH")
    _refuse_secrets(parts, scheme, host)
    named = f"[{host}]" if ":" in host else host.encode("idna").decode() if _is_long(host) else host
    usual = {"https": 443, "http": 80}[scheme]
    place = named if port in (None, usual) else f"{named}:{port}"
    query = f"?{quote(parts.query, safe=_PLAIN + '%?')}" if parts.query else ""
    return f"{scheme}://{place}{quote(parts.path or '/', safe=_PLAIN + '%')}{query}"


def _is_long(host: str) -> bool:
    """Whether a host has letters that only its coded form can have, and can be coded."""
    if host.isascii():
        return False
    try:
        host.encode("idna")
    except UnicodeError:
        raise ScanError(f"{host!r}: is no name of a host; check the address") from None
    return True


def _refuse_secrets(parts: SplitResult, scheme: str, host: str) -> None:
    where = f"{scheme}://{host}{parts.path}"
    secret = _secret_in(parts)
    if secret is not None:
        raise ScanError(
            f"{where}: came with a key, signature or password ({secret}); nothing of it is kept, "
            "so it could not be read again: give the object by its bucket's address, or without it"
        )


def _secret_in(parts: SplitResult) -> str | None:
    """What a web address carries that may not be kept, by its name; None: nothing."""
    if parts.username or parts.password:
        return "user and password"
    names = (name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return next((f"{name[:40]}=…" for name in names if _SECRETS.match(name)), None)
