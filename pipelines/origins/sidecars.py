"""What a crawl wrote beside a photo: JSON and XMP of its name, and img2dataset's tables of shards.

img2dataset writes `000/000000001.jpg` and `000/000000001.json` (or both into `000.tar`), a table
`000.parquet` with a row a photo, and `000_stats.json`, which has the time of the download.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pipelines.origins.embedded import xmp_origin
from pipelines.origins.origin import Origin, merged
from pipelines.origins.said import origin_said
from pipelines.workspace.addresses import is_remote, suffix_of
from pipelines.workspace.containers import PARQUET, TAR, Container, Parquet
from pipelines.workspace.errors import ItemError
from pipelines.workspace.sources import Sources
from pipelines.workspace.uris import (
    file_uri,
    member_uri,
    read_bytes,
    split_member,
    split_uri,
    tar_index,
    uri_path,
)

_MAX_BYTES: Final = 1024**2
_SHARDS: Final = 4  # tables kept per process: claims walk through the shards in order


def sidecar_origin(uri: str) -> Origin | None:
    """What lies beside a file or tar member and says where it came from; None if nothing does.

    Args:
        uri: of the photo.
    """
    path, member = split_uri(uri)
    name = PurePosixPath(path if member is None else member)
    shard = Path(path).parent if member is None else Path(path).with_suffix("")
    bare = name.with_suffix("")
    found = [_of_json(_beside(path, member, f"{each}.json")) for each in (name, bare)]
    packets = [_beside(path, member, f"{each}.xmp") for each in (name, bare)]
    found += [xmp_origin(packet, "XMP file") for packet in packets if packet]
    found.append(_table(shard.with_name(f"{shard.name}.parquet")).get(name.stem))
    origin = merged(found)
    time = _end_of_download(shard.with_name(f"{shard.name}_stats.json"))
    if time is None:
        return origin
    return merged([origin, Origin(downloaded_at=time, evidence=("img2dataset",))])


def source_origin(uri: str, sources: Sources, beside: Sequence[str] = ()) -> Origin | None:
    """What lies beside a source, wherever that is, and says where it came from; None: nothing.

    Args:
        uri: of the photo.
        sources: reads what is beside it.
        beside: URIs of objects beside it, or beside its archive, if it lies elsewhere.
    """
    container, member = split_member(uri)
    if not is_remote(uri) and (member is None or suffix_of(container) == TAR):
        return sidecar_origin(uri)
    name = PurePosixPath(uri_path(uri) if member is None else member)
    found: list[Origin | None] = []
    if member is not None:
        found += _within(sources.container(container), member)
    times = []
    for each in beside:
        if each.endswith("_stats.json"):
            times.append(_time_in(_fetched(sources, each)))
        elif suffix_of(each) == PARQUET:
            found.append(_rows_elsewhere(sources, each).get(name.stem))
        elif suffix_of(each) == ".json":
            found.append(_of_json(_fetched(sources, each)))
        elif packet := _fetched(sources, each):
            found.append(xmp_origin(packet, "XMP file"))
    dated = [Origin(downloaded_at=time, evidence=("img2dataset",)) for time in times if time]
    return merged([*found, *dated])


def _within(container: Container, member: str) -> list[Origin | None]:
    """What a container says of one of its members."""
    if isinstance(container, Parquet):
        return [origin_said(container.said(member), "Parquet row")]
    name = PurePosixPath(member)
    bare = name.with_suffix("")

    def text(file: str) -> bytes | None:
        try:
            return container.read(file, _MAX_BYTES) if file in container.index.members else None
        except ItemError:
            return None

    packets = [text(f"{each}.xmp") for each in (name, bare)]
    return [
        *(_of_json(text(f"{each}.json")) for each in (name, bare)),
        *(xmp_origin(packet, "XMP file") for packet in packets if packet),
    ]


def _fetched(sources: Sources, uri: str) -> bytes | None:
    """A small object; None if it cannot be read."""
    try:
        return sources.small(uri)
    except ItemError:
        return None


def _rows_elsewhere(sources: Sources, uri: str) -> Mapping[str, Origin]:
    try:
        container = sources.container(uri)
    except ItemError:
        return {}
    assert isinstance(container, Parquet)
    return _rows_of(container)


@lru_cache(maxsize=_SHARDS)
def _rows_of(container: Parquet) -> Mapping[str, Origin]:
    try:
        return _by_key(container.rows.plain())
    except Exception:  # a table that nobody asked for may be anything
        return {}


def _by_key(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Origin]:
    said = {str(row.get("key", "")): origin_said(row, "Parquet beside it") for row in rows}
    return {key: origin for key, origin in said.items() if key and origin is not None}


def _beside(path: str, member: str | None, file: str) -> bytes | None:
    """Content of a small file beside a photo, or in its tar; None if there is none."""
    if member is None:
        if not _is_file(Path(file)):
            return None
        uri = file_uri(file)
    else:
        if file not in tar_index(path).members:
            return None
        uri = member_uri(path, file)
    try:
        return read_bytes(uri, max_bytes=_MAX_BYTES)
    except ItemError:
        return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # beside a name of 255 bytes there can be none that is longer
        return False


def _of_json(data: bytes | None) -> Origin | None:
    values = _parsed(data)
    return origin_said(values, "JSON beside it") if values else None


def _parsed(data: bytes | None) -> dict[str, Any] | None:
    try:
        values = json.loads(data) if data else None
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _end_of_download(stats: Path) -> datetime | None:
    """When img2dataset had fetched a shard."""
    return _stats(str(stats)) if _is_file(stats) else None


@lru_cache(maxsize=256)
def _stats(path: str) -> datetime | None:
    return _time_in(_beside(path, None, path))


def _time_in(stats: bytes | None) -> datetime | None:
    values = _parsed(stats) or {}
    time = values.get("end_time")
    try:
        return datetime.fromtimestamp(float(time), UTC) if time else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _table(path: Path) -> Mapping[str, Origin]:
    """Rows of a shard's table by key."""
    return _rows(str(path), path.stat().st_mtime_ns) if _is_file(path) else {}


@lru_cache(maxsize=_SHARDS)
def _rows(path: str, mtime_ns: int) -> Mapping[str, Origin]:
    from pipelines.workspace.tables import table_rows

    del mtime_ns  # tells one state of the file from another
    try:
        return _by_key(table_rows(Path(path)))
    except Exception:  # a table that nobody asked for may be anything
        return {}
