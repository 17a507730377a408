"""An audit's sample of photos without a face, by what they are like: where people are overlooked.

A photo without a face has no traits of one. What is left is its size, how bright and how sharp it
is as a whole, and the site that it came from.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import cv2
from sqlalchemy.engine import Connection

from pipelines.certify.certificate import upper_bound
from pipelines.origins.origin import merged
from pipelines.origins.rows import origins_of
from pipelines.pictures.decode import decode
from pipelines.pictures.sharpness import sharpness
from pipelines.pictures.thirds import thirds
from pipelines.pictures.traits import BRIGHTNESS, SHARPNESS, SHORT_SIDE, SITE
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import DecodeSettings
from pipelines.workspace.sources import Sources

NOT_KNOWN, ANOTHER, NOT_MEASURED = "not known", "another", "not measured"
_SITES: Final = 5
"""So many stand for themselves; of more, slices are too small to say anything."""
_CHARACTERS: Final = 60


@dataclass(frozen=True, kw_only=True)
class FacelessPhoto:
    """What a photo without a face is like.

    Attributes:
        short_side: of the upright photo, in pixels; None, like what follows: it cannot be read.
        brightness: mean grey of the photo, in [0, 255].
        sharpness: of the whole photo, see `pipelines.pictures.sharpness`.
        site: host of the page or file that it came from; None: nothing says.
    """

    short_side: float | None
    brightness: float | None
    sharpness: float | None
    site: str | None


@dataclass(frozen=True, kw_only=True)
class AuditedPhotos:
    """What an audit found in a slice of its sample.

    Attributes:
        trait: `short_side`, `brightness`, `sharpness` or `site`.
        value: what the photos have in common, in a word; None: a range.
        low: smallest value among them; None: a word.
        high: largest; likewise.
        audited: photos of the sample.
        errors: of them those with somebody, and those that cannot be read any more.
        bound: on the share of such photos with somebody, in [0, 1]: exact, and of all slices at
            once with the audit's confidence.
    """

    trait: str
    value: str | None = None
    low: float | None = None
    high: float | None = None
    audited: int
    errors: int
    bound: float


def look_at_faceless(
    connection: Connection,
    uris: Mapping[int, Sequence[str]],
    limits: DecodeSettings,
    sources: Sources,
) -> dict[int, FacelessPhoto]:
    """Measure photos.

    Args:
        connection: in a transaction.
        uris: files by image id.
        limits: of decoding.
        sources: reads them.
    """
    return {
        image_id: _look(files, limits, sources, _site(connection, image_id))
        for image_id, files in uris.items()
    }


def audited_slices(
    photos: Mapping[int, FacelessPhoto], wrong: Collection[int], alpha: float
) -> list[AuditedPhotos]:
    """Count what an audit found by slices of its sample.

    Args:
        photos: the sample, by image id.
        wrong: those with somebody.
        alpha: that all bounds together may spend: each gets an equal part of it.

    Returns:
        By trait; the sites only where there are several.
    """
    slices: list[tuple[str, str | None, float | None, float | None, frozenset[int]]] = []
    for trait in (SHORT_SIDE, BRIGHTNESS, SHARPNESS):
        values = {key: getattr(photo, trait) for key, photo in photos.items()}
        known = {key: value for key, value in values.items() if value is not None}
        slices += [(trait, None, each.low, each.high, each.members) for each in thirds(known)]
        if rest := frozenset(values.keys() - known):
            slices.append((trait, NOT_MEASURED, None, None, rest))
    sites = {key: photo.site or NOT_KNOWN for key, photo in photos.items()}
    often = [site for site, _ in Counter(sites.values()).most_common(_SITES)]
    named = {key: site if site in often else ANOTHER for key, site in sites.items()}
    if len(often) > 1:
        for site in dict.fromkeys([*often, *named.values()]):
            members = frozenset(key for key, each in named.items() if each == site)
            slices.append((SITE, site, None, None, members))
    return [
        AuditedPhotos(
            trait=trait,
            value=value,
            low=low,
            high=high,
            audited=len(members),
            errors=(errors := len(members & set(wrong))),
            bound=upper_bound(errors, len(members), alpha / len(slices)),
        )
        for trait, value, low, high, members in slices
    ]


def _look(
    uris: Sequence[str], limits: DecodeSettings, sources: Sources, site: str | None
) -> FacelessPhoto:
    for uri in uris:
        try:
            data = sources.read(uri)
            rgb = decode(data, max_pixels=limits.max_pixels).rgb
        except ItemError:
            continue  # gone or changed: another copy may be there
        return FacelessPhoto(
            short_side=float(min(rgb.shape[:2])),
            brightness=float(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).mean()),
            sharpness=sharpness(rgb),
            site=site,
        )
    return FacelessPhoto(short_side=None, brightness=None, sharpness=None, site=site)


def _site(connection: Connection, image_id: int) -> str | None:
    """Whence: the host of an address; what is no address as it is."""
    origin = merged(origins_of(connection, [image_id]).get(image_id, []))
    said = origin and (origin.page or origin.url)
    if not said:
        return None
    try:
        return urlsplit(said).hostname or said[:_CHARACTERS]
    except ValueError:  # no address, though it begins like one
        return said[:_CHARACTERS]
