"""Masks that came with photos: which file of `--masks` belongs to which file offered.

The names are compared by `sinet.files.pairing`, as for the data sets of `train`; here they become
URIs, copies of one photo count as one, and masks that lie among the photos are told from them.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.ingest.found import FoundFile, PairCounts
from pipelines.ingest.scan import Given, as_path
from pipelines.workspace.addresses import address_uri, is_address, is_remote
from pipelines.workspace.errors import ItemError, ScanError
from pipelines.workspace.uris import file_uri, read_bytes, split_member, split_uri, uri_path
from sinet.errors import DataError
from sinet.files.leftovers import left_out, left_out_folder
from sinet.files.pairing import (
    PICTURE_SUFFIXES,
    Clash,
    check_pattern,
    looks_like_a_mask,
    pair,
    stem,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFolder:
    """Where people's masks are, and how they are named.

    Attributes:
        path: the folder; its subfolders are looked through, too.
        pattern: as `ingest --mask-pattern`; None: named like the photos.
    """

    path: Path
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskOf:
    """The mask of one photo.

    Attributes:
        uri: where it is; if it is missing, where it should be; None: several files might be it.
        problem: why there is none that is certain, for people; None: there is.
    """

    uri: str | None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class PairedFiles:
    """Files told apart.

    Attributes:
        photos: what is to be taken in.
        masks: of each photo, by the photo's URI.
        counts: how that went.
        masks_offered: number of files that were offered as photos and are masks.
    """

    photos: list[FoundFile]
    masks: dict[str, MaskOf]
    counts: PairCounts
    masks_offered: int


def check_masks(masks: MaskFolder, roots: Sequence[Given]) -> None:
    """Find what is mistyped before anything is written.

    Raises:
        ScanError: there is no such folder, no mask in it, two masks in one place differ in their
            suffix alone, or the pattern cannot be read.
    """
    if not masks.path.is_dir():
        raise ScanError(f"{masks.path}: no such folder of masks")
    try:
        if masks.pattern is not None:
            check_pattern(masks.pattern)
    except DataError as error:
        raise ScanError(str(error)) from error
    files = _mask_files(masks.path)
    if not files:
        raise ScanError(f"{masks.path}: holds no file that could be a mask; give another folder")
    if masks.pattern is None and not any(_holds(masks.path, root) for root in _here(roots)):
        first: dict[tuple[str, str], str] = {}
        for name in files:
            key = (str(PurePosixPath(name).parent), stem(name))
            if first.setdefault(key, name) != name:
                raise ScanError(
                    f"{masks.path / name}: a second mask of this name, beside {first[key]!r}; keep "
                    "one, or say which with --mask-pattern"
                )


def pair_files(
    files: Iterable[FoundFile], roots: Sequence[Given], masks: MaskFolder
) -> PairedFiles:
    """Give every photo its mask, or a reason why it has none that is certain.

    Args:
        files: what the scan found.
        roots: the paths that were scanned.
        masks: where masks are.
    """
    offered = {file.uri: file for file in files}
    mask_uris = {file_uri(masks.path / name): name for name in _mask_files(masks.path)}
    photos, masks_offered = _without_masks(offered, mask_uris, roots, masks)
    names = names_of(photos, roots)
    of_masks = {name: uri for uri, name in mask_uris.items() if uri not in photos}
    pairs = pair(names, of_masks, masks.pattern)
    found = {names[name]: MaskOf(uri=of_masks[mask]) for name, mask in pairs.found.items()}
    for name, clash in pairs.ambiguous.items():
        found[names[name]] = _settle(name, clash, photos, names, of_masks)
    for name, near in pairs.missing.items():
        found[names[name]] = _missing(name, near, masks, len(of_masks))
    return PairedFiles(
        photos=list(photos.values()),
        masks=found,
        counts=PairCounts(
            found=sum(each.problem is None for each in found.values()),
            missing=len(pairs.missing),
            ambiguous=sum(each.uri is None for each in found.values()),
            unused=[str(masks.path / name) for name in pairs.unused],
        ),
        masks_offered=masks_offered,
    )


def read_mask(candidates: Sequence[MaskOf], claimed_for: Sequence[str], max_bytes: int) -> bytes:
    """Content of the mask of a photo.

    Args:
        candidates: of all files with the photo's content: whichever name has the mask counts.
        claimed_for: other photos that came with one of these masks, in this run or before.
        max_bytes: as `read_bytes`.

    Raises:
        ItemError: `mask_missing`, `mask_ambiguous` (also when two names have different masks), or
            another reason of `read_bytes` behind `mask_`.
    """
    if claimed_for:
        raise ItemError(
            "mask_ambiguous",
            f"the mask {uri_path(candidates[0].uri or '')} was given to another photo, too: "
            f"{uri_path(claimed_for[0])}; give each photo its own",
        )
    certain = list(dict.fromkeys(each.uri for each in candidates if each.problem is None))
    if certain:
        contents = {str(uri): _read(str(uri), max_bytes) for uri in certain}
        if len(set(contents.values())) > 1:
            paths = " and ".join(map(uri_path, contents))
            raise ItemError(
                "mask_ambiguous",
                f"copies of this photo came with different masks, {paths}; keep one of them",
            )
        return next(iter(contents.values()))
    for each in candidates:
        if each.uri is None:
            raise ItemError("mask_ambiguous", each.problem or "")
    problem = candidates[0]
    try:
        return _read(problem.uri or "", max_bytes)  # it may have come since
    except ItemError as error:
        if error.reason != "mask_missing":
            raise
        raise ItemError("mask_missing", problem.problem or str(error)) from error


def _read(uri: str, max_bytes: int) -> bytes:
    try:
        return read_bytes(uri, max_bytes=max_bytes)
    except ItemError as error:
        raise ItemError(f"mask_{error.reason}", str(error)) from error


def _mask_files(folder: Path) -> list[str]:
    """Paths of all files below a folder that may be masks, relative to it, in order."""
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if left_out_folder(name) is None)
        for name in sorted(files):
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
            if left_out(name) is None and (suffix in PICTURE_SUFFIXES or not suffix):
                found.append(os.path.relpath(os.path.join(here, name), folder))  # noqa: PTH118
    return found


def _without_masks(
    offered: dict[str, FoundFile],
    mask_uris: dict[str, str],
    roots: Sequence[Given],
    masks: MaskFolder,
) -> tuple[dict[str, FoundFile], int]:
    """The photos among the files offered, and the number of masks among them."""
    both = [uri for uri in mask_uris if uri in offered]
    if not both:
        return offered, 0
    if any(_holds(root, masks.path) and not _holds(masks.path, root) for root in _here(roots)):
        are_masks = set(both)  # a folder of its own, within that of the photos
    else:
        named = _masks_among({mask_uris[uri] for uri in both}, masks.pattern)
        are_masks = {uri for uri in both if mask_uris[uri] in named}
    photos = {uri: file for uri, file in offered.items() if uri not in are_masks}
    return photos, len(are_masks)


def _masks_among(names: set[str], pattern: str | None) -> set[str]:
    """Those of the files of one folder that are masks of others in it."""
    if pattern is not None:
        return set(pair(names, names, pattern).found.values())
    return {name for name in names if looks_like_a_mask(name) or _is_beside_a_photo(name, names)}


def _is_beside_a_photo(name: str, names: set[str]) -> bool:
    """A PNG beside a JPEG of its name is what was drawn on it."""
    path = PurePosixPath(name)
    suffixes = (".jpg", ".jpeg", ".JPG", ".JPEG")
    return path.suffix.lower() == ".png" and any(
        str(path.with_suffix(suffix)) in names for suffix in suffixes
    )


def _here(roots: Sequence[Given]) -> list[Path]:
    return [as_path(root) for root in roots if not is_address(str(root))]


def _place(uri: str) -> str:
    """A path for names alone: of what lies elsewhere, its address as if it were one."""
    return f"/{uri_path(uri).replace('://', '/', 1)}" if is_remote(uri) else split_uri(uri)[0]


def common_folder(roots: Sequence[Given]) -> Path:
    """The folder that holds all paths given: absolute, links as they are."""
    folders = [(root if root.is_dir() else root.parent).absolute() for root in _here(roots)]
    for root in roots:
        if is_address(str(root)):
            place = Path(_place(address_uri(str(root))))
            folders.append(place.parent if place.suffix else place)
    return Path(os.path.commonpath(folders))


def names_of(photos: Iterable[str], roots: Sequence[Given]) -> dict[str, str]:
    """URI by name, relative to the folder that holds all paths given.

    A tar is a folder without its suffix, so that shards of `a.tar` pair with masks in `a/`.
    """
    common = common_folder(roots)
    names = {}
    for uri in photos:
        container, member = split_member(uri)
        path = _place(container)
        if member is not None:
            path = str(PurePosixPath(path).with_suffix("") / member)
        names[os.path.relpath(path, common)] = uri
    return names


def _settle(
    name: str,
    clash: Clash,
    photos: dict[str, FoundFile],
    names: dict[str, str],
    of_masks: dict[str, str],
) -> MaskOf:
    """Photos that share a mask may be copies of one photo; otherwise it is nobody's."""
    alike = [photos[names[each]] for each in clash.photos]
    if len(clash.masks) == 1 and len({file.size_bytes for file in alike}) == 1:
        contents = {_digest(file.uri) for file in alike}
        if len(contents) == 1 and None not in contents:
            return MaskOf(uri=of_masks[clash.masks[0]])
    return MaskOf(
        uri=None,
        problem=f"whose mask is it? {clash}; rename them, give the folders one by one, or say how "
        "masks are named with --mask-pattern",
    )


def _digest(uri: str) -> bytes | None:
    try:
        return None if is_remote(uri) else hashlib.sha256(read_bytes(uri)).digest()
    except ItemError:
        return None


def _missing(name: str, near: Sequence[str], masks: MaskFolder, number: int) -> MaskOf:
    pattern = masks.pattern or "{stem}.png"
    path = PurePosixPath(name)
    parent = "" if str(path.parent) == "." else str(path.parent)
    wanted = masks.path / pattern.format(stem=stem(name), name=path.name, parent=parent).lstrip("/")
    hint = f"; nearly its name has {', '.join(near)}" if near else ""
    return MaskOf(
        uri=file_uri(wanted),
        problem=f"no mask for this photo among {number:,} files in {masks.path}{hint}; it would be "
        f"{wanted}",
    )


def _holds(folder: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
