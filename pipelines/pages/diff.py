"""`diff`: what changed between two releases, in figures and, on a page, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.pages.album import Item, make_album
from pipelines.pages.difference import Difference, What, difference
from pipelines.pages.reasons import knowledge
from pipelines.pages.rendering import check_target, render, write_page
from pipelines.pages.sides import Side, read_side
from pipelines.pages.sprites import Drawn
from pipelines.workspace.errors import PipelineError, WorkspaceError
from pipelines.workspace.files import open_regular
from pipelines.workspace.progress import SILENT, Progress
from pipelines.workspace.workspace import Workspace
from sinet.escaping import printable

SHOWN: Final = 600
"""Changed masks whose pictures are on the page: those that changed most."""


@dataclass(frozen=True, kw_only=True)
class DiffRequest:
    """What to compare.

    Attributes:
        before: a release's name, a round's number, or a folder.
        after: likewise.
        html: a .html file to write; None: none.
    """

    before: str
    after: str
    html: Path | None = None


def diff_releases(
    workspace: Workspace | None, request: DiffRequest, progress: Progress = SILENT
) -> Difference:
    """Compare two releases; each is checked against its checksums first.

    Args:
        workspace: opened; None: there is none, only folders can be compared, and their manifests
            name no reviewer.
        request: what to compare.
        progress: told of every file and picture.

    Raises:
        PipelineError: a release is not there, damaged, or the same as the other; or the page
            cannot be written.
    """
    if request.html is not None:
        check_target(request.html)
    older = read_side(workspace, request.before, progress)
    newer = read_side(workspace, request.after, progress)
    if older.checksum == newer.checksum:
        raise PipelineError(
            f"{request.before} and {request.after} are the same release, byte for byte"
        )
    reader = _Reader(workspace, older, newer)
    found = difference(older, newer, knowledge(workspace, older, newer), reader.read)
    if request.html is not None:
        write_page(request.html, _page(found, older, newer, reader, progress))
    return found


class _Reader:
    """Blobs of both releases, from their folders or else from the workspace."""

    def __init__(self, workspace: Workspace | None, *sides: Side) -> None:
        self._store = None if workspace is None else workspace.store
        self._files: dict[str, Path] = {}
        for side in sides:
            for entry in side.entries.values():
                self._files[entry.image_blob] = side.folder / entry.image_file
                self._files[entry.mask_blob] = side.folder / entry.mask_file

    def read(self, key: str) -> bytes:
        """Bytes of a blob.

        Raises:
            WorkspaceError: neither a folder nor the workspace has it.
        """
        try:
            with open_regular(self._files[key], links=False) as file:
                return file.read()
        except (OSError, KeyError) as error:
            if self._store is None:
                raise WorkspaceError(f"{key}: is in none of the folders") from error
            return self._store.get(key)


def _page(found: Difference, older: Side, newer: Side, reader: _Reader, progress: Progress) -> str:
    shown = [each for each in found.changes if each.what is What.CHANGED][:SHOWN]
    items = []
    for each in shown:
        before, after = older.entries[each.name], newer.entries[each.name]
        words: Mapping[str, object] = {
            "name": printable(each.name),
            "why": str(each.why),
            "by": printable(each.by),
            "pixels": each.pixels,
            "iou": each.iou,
            "split": each.split,
        }
        drawn = Drawn(
            blob=after.image_blob,
            size=(after.width, after.height),
            masks=(before.mask_blob, after.mask_blob),
        )
        items.append(Item(drawn=drawn, words=words))
    album = make_album(reader.read, items, progress)
    values = {"found": found, "shown": len(shown), "unreadable": album.unreadable}
    data = {"pictures": album.data}
    return render("diff.html.jinja", ("pictures.js", "diff.js"), data, values)
