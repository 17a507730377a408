"""File identity: every image of a crawl is named by one URI, and read by it.

A file is `file:///crawl/a%20b.jpg`; a member of an archive is
`file:///crawl/shard.tar#000/a%20b.jpg`, a row of a Parquet file `file:///crawl/x.parquet#image/7`
(column and number). What lies elsewhere is named likewise: `s3://bucket/shard.tar#a.jpg`, see
`pipelines.workspace.addresses`. Both parts are percent-encoded byte by byte, so names with spaces,
quotes, newlines or bytes that are not UTF-8 survive a text column of a database unchanged, and a
literal `#` (`%23`) can never be taken for the separator.
"""

import os
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pipelines.workspace.addresses import address_text, address_uri, is_address, is_remote
from pipelines.workspace.archives import Index, Member, tar_index_of
from pipelines.workspace.errors import ItemError
from pipelines.workspace.files import open_regular

# Far above any photograph; it keeps a stray video or disk image out of the memory.
DEFAULT_MAX_BYTES = 512 * 1024**2

_SCHEME = "file://"
_OPEN_TARS = 8  # indexes kept per process: claims walk through the shards in order


def quote_name(name: bytes) -> str:
    """Percent-encode one name or relative path; `/` stays."""
    return quote_from_bytes(name)


def file_uri(path: str | os.PathLike[str]) -> str:
    """Return the URI of a file or folder, made absolute; it need not exist.

    Symbolic links keep their own name. Only a path with `..` is resolved up to its last
    component, so that `crawl/../crawl/a.jpg` and `crawl/a.jpg` are one file.
    """
    absolute = Path(path).absolute()
    if ".." in absolute.parts:
        absolute = (
            absolute.resolve()
            if absolute.name == ".."
            else absolute.parent.resolve() / absolute.name
        )
    return absolute.as_uri()


def member_uri(tar: str | os.PathLike[str], name: str) -> str:
    """Return the URI of the member `name` (surrogateescape text) of the tar file `tar`."""
    return f"{file_uri(tar)}#{quote_name(_member_bytes(name))}"


def uri_path(uri: str) -> str:
    """Return a URI as people write it: `/x/a b.jpg`, or `/x/crawl.tar#member`.

    Bytes that are not UTF-8 appear as lone surrogates (`surrogateescape`), which
    `json.dumps` escapes and `os.fsencode` turns back; they cannot be printed as they are.
    """
    container, member = split_member(uri)
    text = address_text(container) if is_remote(container) else split_uri(container)[0]
    return text if member is None else f"{text}#{member}"


def split_member(uri: str) -> tuple[str, str | None]:
    """Split a URI into that of a file, wherever it is, and a member's name."""
    container, separator, member = uri.partition("#")
    if not separator:
        return container, None
    return container, unquote_to_bytes(member).decode("utf-8", "surrogateescape")


def with_member(container: str, name: str) -> str:
    """Return the URI of the member `name` (surrogateescape text) of an archive, wherever it is."""
    return f"{container}#{quote_name(_member_bytes(name))}"


def named_uris(text: str) -> list[str]:
    """URIs that a person may mean: a path, an address, or one of these with `#member`.

    Raises:
        ScanError: an address that cannot be read, or that holds a key or password.
    """
    if text.lower().startswith(_SCHEME):
        return [text]
    make = address_uri if is_address(text) else file_uri
    container, separator, member = text.partition("#")
    whole = [] if separator and make is address_uri and text.startswith("http") else [make(text)]
    return [*whole, with_member(make(container), member)] if separator else whole


def read_bytes(uri: str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
    """Return the content of a local file or tar member; nothing is ever unpacked to disk.

    What else a crawl may consist of is read by `pipelines.workspace.sources`.

    Raises:
        ItemError: `missing`, `unreadable` (permission, I/O, not a regular file, broken
            tar), `empty_file` or `too_large` (more than `max_bytes`).
        ValueError: `uri` does not start with `file://`.
    """
    path, member = split_uri(uri)
    name = uri_path(uri)
    try:
        with open_regular(path) as handle:
            offset, size = _locate(handle, path, member)
            require_size(name, size, max_bytes)
            handle.seek(offset)
            data = handle.read(size)
    except OSError as error:
        raise access_error(name, error) from error
    if len(data) != size:
        raise ItemError(
            "unreadable",
            f"{name!r} became shorter while it was read ({len(data):,} of {size:,} bytes): "
            "wait until the crawl has stopped writing, then retry.",
        )
    return data


def require_size(name: str, size: int, max_bytes: int) -> None:
    """Raise ItemError `empty_file` or `too_large` for a size that is not to be read.

    Args:
        name: of the file, for people.
        size: in bytes.
        max_bytes: as `read_bytes`.
    """
    if size == 0:
        raise ItemError("empty_file", f"{name!r} is empty: fetch it again.")
    if size > max_bytes:
        raise ItemError(
            "too_large",
            f"{name!r} has {size:,} bytes, more than the limit of {max_bytes:,}: "
            "raise the limit or leave the file out.",
        )


def stat_uri(uri: str) -> tuple[int, int]:
    """Return `(size in bytes, modification time in ns)`; a member has its tar's time.

    The member's own time in the tar is ignored: writers set it freely, while the tar's
    time changes whenever any of its bytes may have.

    Raises:
        ItemError: `missing` or `unreadable`.
        ValueError: `uri` does not start with `file://`.
    """
    path, member = split_uri(uri)
    try:
        if member is None:
            found = Path(path).stat()
            return found.st_size, found.st_mtime_ns
        with open_regular(path) as handle:
            size = _locate(handle, path, member)[1]
            return size, os.fstat(handle.fileno()).st_mtime_ns
    except OSError as error:
        raise access_error(uri_path(uri), error) from error


def tar_index(path: str) -> Index:
    """Return the files of an uncompressed tar, see `archives.tar_index_of`.

    The index is kept in a small cache for as long as the tar's size and modification time stay the
    same.

    Raises:
        tarfile.TarError: not an uncompressed tar, or cut off or damaged at some member.
        OSError: the file cannot be read.
    """
    found = Path(path).stat()
    return _tar_index(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=_OPEN_TARS)
def _tar_index(path: str, size: int, mtime_ns: int) -> Index:
    """`tar_index`, cached under everything that tells one state of the tar from another."""
    del mtime_ns
    with open_regular(path) as handle:
        return tar_index_of(handle, size)


def _locate(handle: BinaryIO, path: str, member: str | None) -> Member:
    """Return where the wanted bytes lie in the open file `handle`."""
    found = os.fstat(handle.fileno())
    if member is None:
        return Member(0, found.st_size)
    try:
        members = _tar_index(path, found.st_size, found.st_mtime_ns).members
    except tarfile.TarError as error:
        raise ItemError(
            "unreadable", f"{path!r} is not a readable tar ({error}): pack it again."
        ) from error
    try:
        return members[member]
    except KeyError:
        raise ItemError(
            "missing",
            f"{path!r} has no member {member!r} (any more): was the tar written anew? "
            "Scan it again.",
        ) from None


def access_error(name: str, error: OSError) -> ItemError:
    """Turn an operating system error into `missing` or `unreadable`."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ItemError(
            "missing", f"{name!r} does not exist: was it moved, or the disk not mounted?"
        )
    return ItemError(
        "unreadable",
        f"{name!r} cannot be read ({error.strerror or error}): check permissions and disk.",
    )


def split_uri(uri: str) -> tuple[str, str | None]:
    """Split a URI into the file's path and, for a tar member, the member's name.

    Raises:
        ValueError: `uri` does not start with `file://`.
    """
    if not uri.startswith(_SCHEME):
        raise ValueError(f"not a file:// URI: {uri!r}")
    path, separator, member = uri.removeprefix(_SCHEME).partition("#")
    name = unquote_to_bytes(member).decode("utf-8", "surrogateescape") if separator else None
    return os.fsdecode(unquote_to_bytes(path)), name


def _member_bytes(name: str) -> bytes:
    """Return a member's name as the bytes in the tar."""
    return name.encode("utf-8", "surrogateescape")
