"""What containers offer: members of tars and zips, rows of Parquet files."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from pipelines.ingest.found import FoundFile, ScanSummary
from pipelines.origins.said import origin_said
from pipelines.workspace.addresses import address_uri
from pipelines.workspace.archives import Index, Member
from pipelines.workspace.containers import Container, Parquet
from pipelines.workspace.errors import ScanError
from pipelines.workspace.own_files import own_members
from pipelines.workspace.uris import with_member
from sinet.files.leftovers import left_out, left_out_folder


def photos_among(index: Index, summary: ScanSummary) -> Iterator[tuple[str, Member]]:
    """Members that may be photos; the others are counted."""
    summary.not_files.update(index.not_files)
    ours = own_members(index.members)
    for name, member in index.members.items():
        own = next((own for start, own in ours.items() if name.startswith(start)), None)
        if own is not None:
            summary.ignored[own] += 1
            continue
        *folders, last = [part for part in name.split("/") if part.strip(".")] or [name]
        reason = next(filter(None, map(left_out_folder, folders)), None) or left_out(last)
        if reason is not None:
            summary.ignored[reason] += 1
        else:
            yield name, member


def members(
    container: Container,
    summary: ScanSummary,
    *,
    mtime_ns: int | None = None,
    version: str | None = None,
    beside: tuple[str, ...] = (),
) -> Iterator[FoundFile]:
    """Offer what is in a container.

    Args:
        container: opened.
        summary: counts what is left out.
        mtime_ns: of the container, if it is a file here.
        version: of the container, if it lies elsewhere.
        beside: what lies beside the container and is about its members.

    Raises:
        DamagedError: it is cut off or damaged; nothing was offered.
        ScanError: a Parquet file has neither images nor addresses.
    """
    if not isinstance(container, Parquet):
        index = container.index  # complete: what is damaged is known before a member is offered
        for name, member in photos_among(index, summary):
            uri = with_member(container.uri, name)
            yield FoundFile(uri, member.size, mtime_ns, version, beside)
        return
    column = container.kind.images
    if column is not None:
        for row in _rows_with_images(container, summary):
            yield FoundFile(
                with_member(container.uri, f"{column}/{row}"), None, mtime_ns, version, beside
            )
    elif container.kind.addresses is not None:
        yield from _addresses(container, container.kind.addresses, summary)
    else:
        raise ScanError(
            f"{container.name}: has no column of images (bytes, or {{bytes, path}}) and none of "
            "addresses (url): give another file"
        )


def _rows_with_images(container: Parquet, summary: ScanSummary) -> Iterator[int]:
    """Numbers of rows; img2dataset says of which there is none."""
    if not container.kind.of_img2dataset:
        yield from range(container.rows.rows)
        return
    for number, row in enumerate(container.rows.plain()):
        if str(row.get("status") or "success") == "success":
            yield number
        else:
            summary.ignored["not downloaded"] += 1


def _addresses(container: Parquet, column: str, summary: ScanSummary) -> Iterator[FoundFile]:
    evidence = PurePosixPath(container.name).name
    for row in container.rows.plain():
        text = str(row.get(column) or "").strip()
        if not text:
            summary.ignored["no address"] += 1
            continue
        try:
            uri = address_uri(text)
        except ScanError:  # which may repeat nothing of it
            summary.ignored["signed address" if "?" in text or "@" in text else "no address"] += 1
            continue
        yield FoundFile(uri, None, None, said=origin_said({**row, column: text}, evidence))
