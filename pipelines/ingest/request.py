"""What `ingest` is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.ingest.pairs import MaskFolder
from pipelines.ingest.scan import Given


@dataclass(frozen=True, kw_only=True)
class IngestRequest:
    """What to take in.

    Attributes:
        paths: folders, files, lists of paths, archives; addresses of what lies elsewhere.
        masks: folder of people's masks.
        mask_pattern: how masks are named after their photos; None: like them.
        origin: table of where the files came from, by their names.
        download: fetch the web addresses in lists that lie here, too.
        limit: take at most this many new files.
        retry_failed: instead of looking for new files, do failed jobs again: all, or those of
            the given paths.
        on: the cluster whose machines do the work: ``ray``, or ``ray://HOST[:PORT]``; None: this
            machine.
    """

    paths: Sequence[Given] = ()
    masks: Path | None = None
    mask_pattern: str | None = None
    origin: Path | None = None
    download: bool = False
    limit: int | None = None
    retry_failed: bool = False
    on: str | None = None

    @property
    def mask_folder(self) -> MaskFolder | None:
        """Where masks are, if any came along."""
        if self.masks is None:
            return None
        return MaskFolder(path=self.masks, pattern=self.mask_pattern)
