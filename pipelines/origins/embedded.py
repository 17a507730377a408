"""What a photo says of itself: EXIF, IPTC and XMP, and whether it carries content credentials.

Everything here comes from outside: sizes are bounded, XML is read by `defusedxml`, and what is
broken says nothing.
"""

import io
from collections.abc import Iterator
from typing import Any, Final

from pipelines.origins.c2pa import has_credentials
from pipelines.origins.licences import licence_of
from pipelines.origins.origin import Origin, merged
from pipelines.origins.said import clean
from sinet.pictures.kinds import FORMATS

_MAX_XMP_BYTES: Final = 1024**2
_ARTIST, _COPYRIGHT = 0x013B, 0x8298  # EXIF
_BYLINE, _CREDIT, _SOURCE, _NOTICE = (2, 80), (2, 110), (2, 115), (2, 116)  # IPTC
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_RIGHTS: Final = "{http://ns.adobe.com/xap/1.0/rights/}"
_CC: Final = "{http://creativecommons.org/ns#}"
_PHOTOSHOP: Final = "{http://ns.adobe.com/photoshop/1.0/}"
_PLUS: Final = "{http://ns.useplus.org/ldf/xmp/1.0/}"
_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def embedded_origin(data: bytes) -> Origin | None:
    """Read an image file's own metadata; None if it says nothing of where it came from.

    Args:
        data: the content of the file, of any kind.
    """
    from PIL import Image

    found: list[Origin | None] = []
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
            found += [_of_xmp(xmp), _of_iptc(image), _of_exif(image)]
    except Exception:  # broken in every way: the decoder says so, at its time
        found = [each for each in found if each is not None]
    if has_credentials(data):
        found.append(Origin(c2pa=True, evidence=("C2PA",)))
    return merged(found)


def xmp_origin(xmp: bytes, evidence: str = "XMP") -> Origin | None:
    """Understand an XMP packet, also one in a file of its own; None if it says nothing."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    if len(xmp) > _MAX_XMP_BYTES:
        return None
    try:
        root = fromstring(xmp.strip(b"\0 \r\n\t"))
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return None
    said: dict[str, str] = {}
    for name, text in _properties(root):
        if text:
            said.setdefault(name, clean(text))
    stated = _first(said, f"{_CC}license", f"{_RIGHTS}UsageTerms", f"{_DC}rights")
    address = said.get(f"{_RIGHTS}WebStatement")
    licences = (said.get(f"{_CC}license"), address, said.get(f"{_RIGHTS}UsageTerms"), stated)
    return _unless_empty(
        Origin(
            page=_first(said, f"{_PHOTOSHOP}Source", f"{_DC}source"),
            author=_first(said, f"{_CC}attributionName", f"{_DC}creator", f"{_PHOTOSHOP}Credit"),
            licence=next(filter(None, map(licence_of, licences)), None),
            licence_stated=stated or address,
            opt_outs=("data-mining",) if _prohibits(said.get(f"{_PLUS}DataMining")) else (),
            evidence=(evidence,),
        )
    )


def _of_xmp(xmp: Any) -> Origin | None:
    if isinstance(xmp, str):
        xmp = xmp.encode()
    return xmp_origin(xmp) if isinstance(xmp, bytes) and xmp else None


def _of_iptc(image: Any) -> Origin | None:
    from PIL import IptcImagePlugin

    fields = IptcImagePlugin.getiptcinfo(image) or {}
    stated = _decoded(fields.get(_NOTICE))
    return _unless_empty(
        Origin(
            page=_decoded(fields.get(_SOURCE)),
            author=_decoded(fields.get(_BYLINE)) or _decoded(fields.get(_CREDIT)),
            licence=licence_of(stated),
            licence_stated=stated,
            evidence=("IPTC",),
        )
    )


def _of_exif(image: Any) -> Origin | None:
    fields = image.getexif()
    stated = _decoded(fields.get(_COPYRIGHT))
    return _unless_empty(
        Origin(
            author=_decoded(fields.get(_ARTIST)),
            licence=licence_of(stated),
            licence_stated=stated,
            evidence=("EXIF",),
        )
    )


def _properties(root: Any) -> Iterator[tuple[str, str | None]]:
    """Name and text of each property: an attribute, an element's text, or its first list item."""
    for element in root.iter():
        yield from element.attrib.items()
        resource = element.attrib.get(f"{_RDF}resource")
        item = element.find(f"*/{_RDF}li")
        inner = item.text if item is not None else element.text
        yield element.tag, resource or (inner or "").strip() or None


def _prohibits(data_mining: str | None) -> bool:
    """Whether a value of PLUS' vocabulary forbids it, or allows it for search engines only."""
    return "PROHIBITED" in (data_mining or "").upper()


def _decoded(value: Any) -> str | None:
    """The text of a field; of several the first."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    return clean(value) or None if isinstance(value, str) else None


def _first(said: dict[str, str], *names: str) -> str | None:
    return next((said[name] for name in names if said.get(name)), None)


def _unless_empty(origin: Origin) -> Origin | None:
    return None if origin == Origin(evidence=origin.evidence) else origin
