"""What `export` and a round's freezing have in common: from the workspace's state to a release."""

import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from db import Forgotten, Image, Release, ReleaseItem, chunks, reader
from pipelines.certify.certifying import void_changed
from pipelines.origins.rows import apply_policy, refused_images
from pipelines.portraits.splits import assign_splits
from pipelines.portraits.standing import MinSource
from pipelines.releases.building import (
    SealedRelease,
    alone,
    build,
    check_target,
    find_release,
    read_manifest,
    release_path,
)
from pipelines.releases.card import CARD_FILE, PICTURE_FOLDER, CardFacts, write_card
from pipelines.releases.entry import Entry
from pipelines.releases.formats import Format, check
from pipelines.releases.kept import KeptEntries
from pipelines.releases.mattes import write_mattes
from pipelines.releases.selection import Selection, require_entries, select
from pipelines.review.status import review_counts
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to write.

    Attributes:
        out: folder to make.
        format: of the release.
        min_source: what a mask needs.
        round: the frozen set of this round, whatever its masks need; None: what is trusted now.
        negatives: also photos that somebody has confirmed nobody is in, with an empty mask.
        alpha: also soft edges and trimaps, see `mattes`; only of the format `folder`.
        workers: shards that are written at the same time, where there are shards.
    """

    out: Path
    format: Format = Format.FOLDER
    min_source: MinSource = MinSource.ANY
    round: int | None = None
    negatives: bool = False
    alpha: bool = False
    workers: int = 1


class ExportedCounts:
    """Members of a release.

    Attributes:
        portraits: with somebody in them.
        negatives: with nobody.
        splits: both, by split.
        trust: both, by why their mask is trusted.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.portraits = self.negatives = 0
        self.splits: Counter[str] = Counter()
        self.trust: Counter[str] = Counter()
        for entry in entries:
            if entry.negative:
                self.negatives += 1
            else:
                self.portraits += 1
            self.splits[str(entry.split)] += 1
            self.trust[str(entry.trust)] += 1


@dataclass(frozen=True)
class Exported:
    """A release that was written.

    Attributes:
        release: what is remembered of it.
        path: its folder.
        entries: its members, read from the disk each time.
        forgotten: members of the round that are left out since their photos were forgotten.
        refused: likewise, since the policy refuses their photos now.
    """

    release: SealedRelease
    path: Path
    entries: Sequence[Entry]
    forgotten: int = 0
    refused: int = 0

    @cached_property
    def counts(self) -> ExportedCounts:
        """Of its members."""
        return ExportedCounts(self.entries)


def export_release(
    workspace: Workspace, request: ExportRequest, progress: Progress = SILENT
) -> Exported:
    """Write the trusted portraits as they are now.

    Or, of a round, its frozen set once more, without what was forgotten since and what the policy
    refuses by now.

    Args:
        workspace: opened.
        request: what to write, and where.
        progress: told what is under way.

    Raises:
        PipelineError: there are none, no such round, it is damaged, there is something at the
            target, or what the format needs is not installed.
        WorkspaceError: a blob is missing or damaged, or the disk is full.
    """
    check(request.format)
    if request.alpha and request.format is not Format.FOLDER:
        raise PipelineError(f"mattes go with the format {Format.FOLDER}, not {request.format}")
    progress.begin("exporting", None, "releases")
    if request.round is not None:
        return _export_round(workspace, request, request.round)
    form, min_source = request.format, request.min_source
    command = ["dataengine", "export", "--out", "DIR", "--format", form, "--min-source", min_source]
    command += ["--negatives"] if request.negatives else []
    command += ["--alpha"] if request.alpha else []
    with alone(workspace):
        check_target(workspace, request.out)
        selection, facts = _current(
            workspace, min_source, shlex.join(command), negatives=request.negatives
        )

        def card(folder: Path) -> None:
            write_card(folder, facts)
            if request.alpha:
                write_mattes(workspace, folder, selection.entries)

        row = build(workspace, request.out, selection.entries, form, card, workers=request.workers)
    return Exported(row, request.out, selection.entries)


def _export_round(workspace: Workspace, request: ExportRequest, number: int) -> Exported:
    target = request.out
    with alone(workspace):
        check_target(workspace, target)
        frozen = frozen_round(workspace, number)
        if frozen is None:
            raise PipelineError(
                f"round {number} is not frozen; `dataengine train --round {number}` freezes it"
            )
        folder = release_path(workspace, frozen)
        gone = _forgotten_names(workspace, frozen.id)
        refused, left_out = refused_photos(workspace), 0
        entries = KeptEntries(workspace.paths.root)
        for each in read_manifest(folder):
            if each.name in gone:
                continue
            if each.photo_sha256 in refused:
                left_out += 1
            else:
                entries.append(each)

        def copy_card(out: Path) -> None:
            shutil.copyfile(folder / CARD_FILE, out / CARD_FILE)
            shutil.copytree(folder / PICTURE_FOLDER, out / PICTURE_FOLDER)
            if request.alpha:
                write_mattes(workspace, out, entries)

        row = build(workspace, target, entries, request.format, copy_card, workers=request.workers)
    return Exported(row, target, entries, len(gone), left_out)


def freeze_round(
    workspace: Workspace,
    number: int,
    min_source: MinSource,
    require: Callable[[Selection], None],
    *,
    negatives: bool = False,
) -> tuple[SealedRelease, bool]:
    """The release `round-N`, made now if it does not exist; unchanged for ever after.

    Args:
        workspace: opened.
        number: of the round.
        min_source: what a mask needs.
        require: raises `PipelineError` if the selection is not worth freezing.
        negatives: also photos that nobody is in, as `ExportRequest.negatives`.

    Returns:
        Its row, and whether it was made now.

    Raises:
        PipelineError: nothing is trusted, or `require` says no.
        WorkspaceError: as `export`.
    """
    with alone(workspace):
        frozen = frozen_round(workspace, number)
        if frozen is not None:
            return frozen, False
        command = f"dataengine train --round {number} --min-source {min_source}"
        command += " --negatives" if negatives else ""
        selection, facts = _current(workspace, min_source, command, negatives=negatives)
        require(selection)
        target = workspace.paths.releases / f"round-{number}"
        row = build(
            workspace,
            target,
            selection.entries,
            Format.FOLDER,
            lambda folder: write_card(folder, facts),
            number,
        )
        return row, True


def frozen_round(workspace: Workspace, number: int) -> SealedRelease | None:
    """The sealed release of a round, if there is one."""
    with reader(workspace.engine).begin() as connection:
        return find_release(connection, Release.round == number)


def _current(
    workspace: Workspace, min_source: MinSource, command: str, *, negatives: bool = False
) -> tuple[Selection, CardFacts]:
    """Decide what has to be decided, and choose."""
    settings = workspace.settings.release
    # A certificate whose ground has changed accepts nothing any more.
    void_changed(workspace)
    apply_policy(workspace)
    assign_splits(workspace)
    with reader(workspace.engine).begin() as connection:
        policy = workspace.settings.policy
        selection = select(
            connection,
            min_source,
            policy,
            folder=workspace.paths.root,
            negatives=negatives,
        )
        reviewers = review_counts(connection).reviewers
    require_entries(selection)
    return selection, CardFacts(selection, reviewers, settings.licence, command)


def refused_photos(workspace: Workspace) -> set[str]:
    """SHA-256 of photos that may not be used, as the policy is now."""
    with reader(workspace.engine).begin() as connection:
        refused = refused_images(connection, workspace.settings.policy)
        found: set[str] = set()
        for ids in chunks(refused):
            found.update(connection.scalars(sa.select(Image.sha256).where(Image.id.in_(ids))))
    return found


def _forgotten_names(workspace: Workspace, release_id: int) -> set[str]:
    query = (
        sa.select(ReleaseItem.name)
        .join(Forgotten, Forgotten.id == ReleaseItem.forgotten_id)
        .where(ReleaseItem.release_id == release_id)
    )
    with reader(workspace.engine).begin() as connection:
        return set(connection.scalars(query))
