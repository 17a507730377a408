"""Which mask belongs to which photo, told by their names alone.

Names are relative to the folder of the photos and that of the masks. They are compared in steps,
from the same path to the same stem, and at each step a name must be unique on both sides: a stem
that two photos share pairs neither. Unicode is compared as NFC, so that a name typed on macOS
equals the same name from Linux; the later steps also see past case, a doubled suffix
(`a.jpg.png`), and the words that people add to masks (`a_mask.png`).
"""

import difflib
import re
import string
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from sinet.errors import DataError

PICTURE_SUFFIXES: Final = frozenset(
    {
        ".avif", ".bmp", ".gif", ".heic", ".heif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg",
        ".jpg", ".jxl", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".tga", ".tif",
        ".tiff", ".webp",
    }
)  # fmt: skip

_MASK_WORDS = (
    "masks?|matte|mattes|matting|alphas?|seg|segm|segs|segmentations?|labels?|labelids|"
    "ground[_-]?truth|gt|annotations?|silhouette"
)
_MASK_WORD_AT_END = re.compile(rf"[ _.\-]+(?:{_MASK_WORDS})$")
_MASK_WORD_AT_START = re.compile(rf"^(?:{_MASK_WORDS})[ _.\-]+")
_MASK_FOLDER = re.compile(
    rf"^(?:.*[ _.\-])?(?:{_MASK_WORDS}|targets?|segmentationclass|segmentationobject)$"
)
_PHOTO_FOLDER = re.compile(r"^(?:images?|imgs?|photos?|pictures?|inputs?|rgb|raw|jpegimages)$")
_FIELDS: Final = frozenset({"stem", "name", "parent"})

_MAX_NEAR_MISSES = 3
_MAX_NAMES_COMPARED = 2_000
_MAX_PHOTOS_COMPARED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Photos and masks of which it cannot be told which belong together.

    Attributes:
        photos: names; several, or one for which there are several masks.
        masks: names.
    """

    photos: tuple[str, ...]
    masks: tuple[str, ...]

    def __str__(self) -> str:
        shown = [", ".join(each[:4]) + (", …" if len(each) > 4 else "") for each in self._sides()]
        return f"the photos {shown[0]} and the masks {shown[1]} are named alike"

    def _sides(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.photos, self.masks


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What pairing found out; every photo is in one of the first three.

    Attributes:
        found: mask by photo.
        ambiguous: why no mask was taken, by photo.
        missing: photos without a mask, each with up to three masks that have nearly its name.
        unused: masks that belong to none of the photos, in alphabetical order.
    """

    found: dict[str, str]
    ambiguous: dict[str, Clash]
    missing: dict[str, tuple[str, ...]]
    unused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    """A file's name as it is compared."""

    text: str
    parents: tuple[str, ...]
    exact: str
    loose: str

    @property
    def plain_parents(self) -> tuple[str, ...]:
        """Folders, without those that only say what kind of file is in them."""
        return tuple(
            folder.casefold()
            for folder in self.parents
            if not _PHOTO_FOLDER.match(folder.casefold())
            and not _MASK_FOLDER.match(folder.casefold())
        )


def pair(photos: Iterable[str], masks: Iterable[str], pattern: str | None = None) -> Pairs:
    """Find the mask of every photo.

    Args:
        photos: paths relative to their folder, with `/`.
        masks: paths relative to theirs.
        pattern: how a mask is named after its photo: `{stem}`, `{name}` (with suffix), `{parent}`
            (folder); None: the steps above. With a `/` it is the mask's path, else its name.

    Raises:
        DataError: the pattern cannot be read.
    """
    if pattern is not None:
        check_pattern(pattern)
    of_photos = [_expected(each, pattern) if pattern else _name(each) for each in photos]
    of_masks = [_as_it_is(each) if pattern else _name(each) for each in masks]
    left_photos = {each.text: each for each in of_photos}
    left_masks = {each.text: each for each in of_masks}
    found: dict[str, str] = {}
    ambiguous: dict[str, Clash] = {}
    for key in _steps(of_photos, pattern):
        if not left_photos or not left_masks:
            break
        for some_photos, some_masks in _alike(left_photos, left_masks, key):
            if len(some_photos) == len(some_masks) == 1:
                found[some_photos[0]] = some_masks[0]
            else:
                clash = Clash(photos=tuple(some_photos), masks=tuple(some_masks))
                ambiguous |= dict.fromkeys(some_photos, clash)
            for names, left in ((some_photos, left_photos), (some_masks, left_masks)):
                for name in names:
                    del left[name]
    _doubt_rivals(found, ambiguous, left_masks, pattern)
    return Pairs(
        found=found,
        ambiguous=ambiguous,
        missing=_near_misses(left_photos, left_masks),
        unused=tuple(sorted(left_masks)),
    )


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that cannot tell masks apart.

    Raises:
        DataError: it has other fields than `stem`, `name` and `parent`, or neither of the first.
    """
    try:
        parsed = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise DataError(f"the mask pattern {pattern!r} cannot be read: {error}.") from error
    fields = {field for _, field, _, _ in parsed if field is not None}
    plain = all(not spec and not conversion for _, _, spec, conversion in parsed)
    if not fields <= _FIELDS or not fields & {"stem", "name"} or not plain:
        raise DataError(
            f"the mask pattern {pattern!r} must have {{stem}} or {{name}}, may have {{parent}}, "
            'and nothing else in braces; such as "{stem}_mask.png".'
        )


def looks_like_a_mask(name: str) -> bool:
    """Whether a picture's name, or a folder of its path, says that it is a mask."""
    path = PurePosixPath(name)
    bare = _bare(_nfc(path.name)).casefold()
    return bool(_MASK_WORD_AT_END.search(bare) or _MASK_WORD_AT_START.search(bare)) or any(
        _MASK_FOLDER.match(folder.casefold()) for folder in path.parts[:-1]
    )


def stem(name: str) -> str:
    """A picture's name without folder and suffix, as NFC; what is no picture's suffix stays."""
    path = PurePosixPath(_nfc(name))
    return path.stem if path.suffix.lower() in PICTURE_SUFFIXES else path.name


def _steps(
    photos: Sequence[_Name], pattern: str | None
) -> list[Callable[[_Name], Hashable | None]]:
    """Keys by which names are compared, strictest first; None: not at this step."""
    if pattern is not None:
        by_path: list[Callable[[_Name], Hashable | None]] = [lambda n: (n.parents, n.exact)]
        return by_path if "/" in pattern else [*by_path, lambda n: n.exact]
    deepest = max((len(each.parents) for each in photos), default=0)
    return [
        lambda n: (n.parents, n.exact),
        lambda n: (n.plain_parents, n.exact),
        lambda n: (n.plain_parents, n.loose),
        *(_ending(depth) for depth in range(min(deepest, 8), 0, -1)),
        lambda n: n.exact,
        lambda n: n.loose,
    ]


def _ending(depth: int) -> Callable[[_Name], Hashable | None]:
    def key(name: _Name) -> Hashable | None:
        parents = name.plain_parents
        return (parents[-depth:], name.loose) if len(parents) >= depth else None

    return key


def _alike(
    photos: dict[str, _Name], masks: dict[str, _Name], key: Callable[[_Name], Hashable | None]
) -> list[tuple[list[str], list[str]]]:
    """Photos and masks that share a key."""
    groups: dict[Hashable, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, names in enumerate((photos, masks)):
        for text, name in names.items():
            value = key(name)
            if value is not None:
                groups[value][side].append(text)
    return [group for group in groups.values() if group[0] and group[1]]


def _doubt_rivals(
    found: dict[str, str],
    ambiguous: dict[str, Clash],
    unused: dict[str, _Name],
    pattern: str | None,
) -> None:
    """A photo with `a.png` and `a_mask.png` in one folder of masks has two: neither is taken."""
    if pattern is not None:
        return
    rivals: dict[Hashable, list[str]] = defaultdict(list)
    for text, name in unused.items():
        rivals[name.parents, name.loose].append(text)
    for photo, mask in list(found.items()):
        name = _name(mask)
        others = rivals.get((name.parents, name.loose))
        if others:
            ambiguous[photo] = Clash(photos=(photo,), masks=(mask, *others))
            del found[photo]
            for each in others:
                unused.pop(each, None)


def _near_misses(photos: dict[str, _Name], masks: dict[str, _Name]) -> dict[str, tuple[str, ...]]:
    """Unused masks whose names nearly are a photo's; bounded, as comparing all takes for ever."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for text, name in list(masks.items())[:_MAX_NAMES_COMPARED]:
        by_stem[name.loose].append(text)
    missing: dict[str, tuple[str, ...]] = {}
    for number, (text, name) in enumerate(photos.items()):
        near: list[str] = []
        if number < _MAX_PHOTOS_COMPARED:
            close = difflib.get_close_matches(name.loose, by_stem, _MAX_NEAR_MISSES, 0.75)
            near = [mask for each in close for mask in by_stem[each]]
        missing[text] = tuple(near[:_MAX_NEAR_MISSES])
    return missing


def _name(text: str) -> _Name:
    path = PurePosixPath(_nfc(text))
    exact = stem(text)
    return _Name(text, path.parts[:-1], exact, _loose(exact))


def _as_it_is(text: str) -> _Name:
    path = PurePosixPath(_nfc(text))
    return _Name(text, path.parts[:-1], path.name, path.name)


def _expected(text: str, pattern: str) -> _Name:
    """The name that a photo's mask should have."""
    path = PurePosixPath(_nfc(text))
    parent = "" if str(path.parent) == "." else str(path.parent)
    mask = PurePosixPath(pattern.format(stem=stem(text), name=path.name, parent=parent))
    parents = mask.parts[:-1] if "/" in pattern else path.parts[:-1]
    return _Name(text, tuple(part for part in parents if part != "/"), mask.name, mask.name)


def _loose(exact: str) -> str:
    """A stem without case, a second suffix, and what people add to the names of masks."""
    bare = _bare(exact).casefold()
    for word in (_MASK_WORD_AT_END, _MASK_WORD_AT_START):
        bare = word.sub("", bare) or bare
    return _bare(bare)


def _bare(text: str) -> str:
    """Without the suffixes of pictures, however many there are."""
    while PurePosixPath(text).suffix.lower() in PICTURE_SUFFIXES:
        text = PurePosixPath(text).stem
    return text


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
