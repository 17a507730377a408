"""What `ingest` is offered: the files of a scan, with the masks and origins that came along."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.ingest.found import FoundFile, ScanSummary
from pipelines.ingest.pairs import MaskOf, common_folder, names_of, pair_files
from pipelines.ingest.remote_scan import KnownArchive
from pipelines.ingest.request import IngestRequest
from pipelines.ingest.scan import scan
from pipelines.origins.origin import Origin
from pipelines.origins.tables import match, read_table
from pipelines.workspace.sources import Sources


@dataclass(frozen=True, kw_only=True)
class Offered:
    """Files to take in.

    Attributes:
        files: one after the other.
        masks: of each by its URI; None: none came along.
        origins: of those that a table says something of, by URI.
        gone_through: all of it has been gone through before the first file is given.
    """

    files: Iterator[FoundFile]
    masks: Mapping[str, MaskOf] | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    gone_through: bool = False


def offered(
    request: IngestRequest,
    summary: ScanSummary,
    sources: Sources,
    known: KnownArchive | None = None,
) -> Offered:
    """Find everything; a crawl without masks and table is not held in memory.

    Args:
        request: paths, masks, table.
        summary: filled with what was left out, some of it as the files are taken.
        sources: reads archives and what lies elsewhere.
        known: archives elsewhere that need not be gone through again.

    Raises:
        ScanError: as `check_request`.
    """
    with_names = request.mask_folder is not None or request.origin is not None
    found = scan(
        request.paths,
        summary,
        sources,
        # A table or masks that came later are about members that are known, too.
        known=None if with_names else known,
        follow=request.download,
    )
    if not with_names:
        return Offered(files=found)
    # Whether a name is unique is known once all are.
    files, masks = list(found), None
    if request.mask_folder is not None:
        paired = pair_files(files, request.paths, request.mask_folder)
        files, masks, summary.pairs = paired.photos, paired.masks, paired.counts
        summary.leave_out_masks(paired.masks_offered)
    origins: dict[str, Origin] = {}
    if request.origin is not None:
        names = names_of((file.uri for file in files), request.paths)
        matched = match(read_table(request.origin), names, common_folder(request.paths))
        origins = {names[name]: origin for name, origin in matched.origins.items()}
        summary.origins = matched.counts
    return Offered(files=iter(files), masks=masks, origins=origins, gone_through=True)
