"""Decide what is written where before anything is."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sinet.errors import DataError
from sinet.files.leftovers import VIDEO_SUFFIXES, left_out, left_out_folder

_MAX_NAME_BYTES = 255 - len("..attention-stage1.jpg.partial")


@dataclass(frozen=True, slots=True)
class Work:
    """One file to predict.

    Attributes:
        source: the picture or video.
        mask: of a picture, the PNG to write; of a video, the folder of a PNG a frame.
        overlay: the picture or video to write beside it, if one is wanted.
        is_video: tells them apart.
        attention: of a picture, the picture to write of each of the network's attention maps.
    """

    source: Path
    mask: Path
    overlay: Path
    is_video: bool
    attention: tuple[Path, ...] = ()


def plan(
    paths: Sequence[Path],
    out: Path,
    *,
    overlay: bool = False,
    overwrite: bool = False,
    attention: Sequence[str] = (),
) -> list[Work]:
    """List the pictures and videos and where their masks go: the files that `ingest` takes, too.

    What comes from a folder keeps its path in it; from several folders, below each one's name.
    Names lose their suffix, but where that would make two alike.

    Args:
        paths: files and folders; folders are searched through, but not `out` within them.
        out: everything is written below it.
        overlay: overlays will be written too.
        overwrite: what is there may be replaced.
        attention: names of the attention maps that will be written of pictures.

    Raises:
        DataError: a path that does not exist, nothing found, something there already, two sources
            of one mask, or a target that is a source or outside of `out`.
    """
    found = [each for path in paths for each in _below(path, out, nested=len(paths) > 1)]
    if not found:
        raise DataError(f"{', '.join(map(str, paths))}: no picture or video there.")
    bare = Counter(relative.with_suffix("") for _, relative in found)
    works = []
    for source, relative in found:
        stem = relative.with_suffix("") if bare[relative.with_suffix("")] == 1 else relative
        work = _work(source, out / stem.parent, _shortened(stem.name))
        works.append(_attending(work, attention))
    _check(works, out, overlay=overlay, overwrite=overwrite)
    return works


def _shortened(name: str) -> str:
    """A name that still fits into a file system with the suffixes of what is being written."""
    encoded = os.fsencode(name)
    if len(encoded) <= _MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[: _MAX_NAME_BYTES - 9].decode('utf-8', 'ignore')}-{digest}"


def _work(source: Path, folder: Path, name: str) -> Work:
    if source.suffix.lower() in VIDEO_SUFFIXES:
        return Work(source, folder / f"{name}.masks", folder / f"{name}.overlay.mp4", is_video=True)
    return Work(source, folder / f"{name}.png", folder / f"{name}.overlay.jpg", is_video=False)


def _attending(work: Work, names: Sequence[str]) -> Work:
    if work.is_video:
        return work
    files = (work.mask.with_name(f"{work.mask.stem}.attention-{name}.jpg") for name in names)
    return replace(work, attention=tuple(files))


def _below(path: Path, out: Path, *, nested: bool) -> Iterator[tuple[Path, Path]]:
    """Yield each file of a path with its path below `out`."""
    if path.is_file():
        yield path, Path(path.name)
        return
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder.")
    prefix = Path(path.resolve().name) if nested else Path()
    written = out.resolve()
    for folder, names, files in os.walk(path):
        here = Path(folder)
        names[:] = sorted(
            name
            for name in names
            if left_out_folder(name) is None and (here / name).resolve() != written
        )
        for name in sorted(files):
            file = here / name
            if left_out(name) is None or left_out(name) in VIDEO_SUFFIXES:
                yield file, prefix / file.relative_to(path)


def _check(works: Sequence[Work], out: Path, *, overlay: bool, overwrite: bool) -> None:
    root = out.resolve()
    if root.exists() and not root.is_dir():
        raise DataError(f"{out}: not a folder; give another --out.")
    sources = {work.source.resolve() for work in works}
    taken: dict[Path, Path] = {}
    there = []
    for work in works:
        for target in (work.mask, *((work.overlay,) if overlay else ()), *work.attention):
            if target in taken:
                raise DataError(
                    f"{work.source} and {taken[target]} would both be written to {target}: "
                    "predict them into different folders."
                )
            taken[target] = work.source
            if not target.resolve().is_relative_to(root):
                raise DataError(f"{target}: a link leads out of {out}; remove it.")
            if target.resolve() in sources:
                raise DataError(f"{target}: would replace a picture given; give another --out.")
            if target.exists():
                there.append(target)
    if there and not overwrite:
        raise DataError(
            f"{there[0]}: is there already{_and_more(len(there) - 1)}; "
            "give another --out, or --overwrite."
        )


def _and_more(number: int) -> str:
    return f", and {number:,} more" if number else ""
