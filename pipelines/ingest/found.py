"""What a scan finds: files to offer, and an account of everything else."""

from collections import Counter
from dataclasses import dataclass, field

from pipelines.origins.origin import Origin
from pipelines.origins.tables import OriginCounts


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file or member offered for ingestion.

    Attributes:
        uri: its identity, see `pipelines.workspace.uris`.
        size_bytes: None if the file could not be looked at (it fails later, accounted for), or if
            it is a row of a table.
        mtime_ns: modification time (a member has its archive's), None as `size_bytes`; None of
            what lies elsewhere.
        version: of what lies elsewhere: its ETag, or what stands for one (a member has its
            archive's); None: there is none, or nobody asked.
        beside: URIs of objects that may say where it came from; of what lies elsewhere.
        said: what the table that it stands in says of that.
    """

    uri: str
    size_bytes: int | None
    mtime_ns: int | None
    version: str | None = None
    beside: tuple[str, ...] = ()
    said: Origin | None = None


@dataclass(frozen=True, slots=True)
class FoundArchive:
    """An archive that lies elsewhere, all of whose members have been yielded."""

    uri: str
    version: str
    members: int


@dataclass(kw_only=True)
class PairCounts:
    """How pairing went.

    Attributes:
        found: photos with a mask.
        missing: photos without one.
        ambiguous: photos that might have several, or share one with another photo.
        unused: paths of masks of which the photo was not offered.
    """

    found: int = 0
    missing: int = 0
    ambiguous: int = 0
    unused: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ScanSummary:
    """What a scan left out; filled while its iterator is consumed.

    Attributes:
        offered: how many files and tar members were yielded.
        ignored: what lies beside photos, by kind: see `sinet.files.leftovers` (a folder counts
            once); `workspace` and `release` for what is our own, `mask` for masks among the
            photos, `comment` and `URL` for lines of lists, `unfinished shard` for what img2dataset
            is not done with, `not downloaded` for its rows without a picture, `signed address`
            and `no address` for rows and lines that name nothing that may be kept.
        not_files: by kind: `fifo`, `socket`, `device`; of tars also `symbolic link`, `broken link`,
            `sparse file`, and `doubled name` for members that a later one replaces.
        unreadable: `(path, reason)` of each folder that could not be listed.
        broken_tars: `(path, reason)` of each damaged tar in a folder, offered as a file.
        notes: what somebody might take for read and is not, each with a way out: addresses in
            lists, packed archives; one line a list, and one for all archives.
        pairs: how photos and masks were paired; None: no masks came along.
        origins: how a table of origins fitted; None: there was none.
        archives: those that lie elsewhere and were gone through; whoever remembers them empties it.
        known_members: members of archives that were remembered, and not listed again.
    """

    offered: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    not_files: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    broken_tars: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pairs: PairCounts | None = None
    origins: OriginCounts | None = None
    archives: list[FoundArchive] = field(default_factory=list)
    known_members: int = 0

    def leave_out_masks(self, number: int) -> None:
        """Count files that had been offered and turned out to be masks."""
        self.offered -= number
        self.ignored["mask"] += number
        self.ignored += Counter()  # drops zeros
