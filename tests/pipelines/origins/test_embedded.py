"""What photos say of themselves, also if they lie, or mean harm."""

import io
import struct

import pytest
from PIL import Image, PngImagePlugin

from pipelines.origins.c2pa import has_credentials
from pipelines.origins.embedded import embedded_origin, xmp_origin
from pipelines.origins.origin import Origin

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#"
 xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"
 xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/"><rdf:Description
 xmpRights:WebStatement="https://creativecommons.org/licenses/by/4.0/"
 plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING">
 <dc:creator><rdf:Seq><rdf:li>Zo\u00eb</rdf:li></rdf:Seq></dc:creator>
 <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">by me</rdf:li></rdf:Alt></dc:rights>
</rdf:Description></rdf:RDF></x:xmpmeta>"""

BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>"""
SPY = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>"""


def picture(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 30), (9, 90, 200)).save(buffer, form, **options)
    return buffer.getvalue()


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def iptc(**fields: str) -> bytes:
    numbers = {"byline": 80, "credit": 110, "source": 115, "notice": 116}
    records = b"".join(
        b"\x1c\x02" + bytes([numbers[name]]) + struct.pack(">H", len(text.encode())) + text.encode()
        for name, text in fields.items()
    )
    records += b"\0" * (len(records) % 2)
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records
    return b"Photoshop 3.0\0" + block


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "PNG"])
def test_xmp(form: str) -> None:
    if form == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP)
        data = picture("PNG", pnginfo=info)
    elif form == "TIFF":
        data = picture("TIFF", tiffinfo={700: XMP.encode()})
    else:
        data = picture(form, xmp=XMP.encode())
    assert embedded_origin(data) == Origin(
        author="Zoë",
        licence="CC-BY-4.0",
        licence_stated="by me",
        opt_outs=("data-mining",),
        evidence=("XMP",),
    )


def test_iptc_and_exif() -> None:
    exif = Image.Exif()
    exif[0x013B], exif[0x8298] = "somebody else", "CC BY-SA 4.0"
    data = picture("JPEG", exif=exif.tobytes())
    assert embedded_origin(data) == Origin(
        author="somebody else",
        licence="CC-BY-SA-4.0",
        licence_stated="CC BY-SA 4.0",
        evidence=("EXIF",),
    )
    block = iptc(byline="Zoë", credit="An Agency", source="agency.example", notice="© An Agency")
    found = embedded_origin(with_segment(data, 0xED, block))
    assert found is not None
    assert (found.author, found.page, found.licence) == ("Zoë", "agency.example", None)
    assert (found.licence_stated, found.evidence) == ("© An Agency", ("IPTC", "EXIF"))


@pytest.mark.parametrize("xmp", [BOMB, SPY, "<a", "", "x" * 2_000_000, "\0\0"])
def test_hostile_and_broken_xml_says_nothing(xmp: str) -> None:
    assert xmp_origin(xmp.encode()) is None


def test_what_is_no_picture_says_nothing() -> None:
    for data in (b"", b"<html>", b"\xff\xd8\xff\xe1\xff", picture("JPEG")[:200], picture("PNG")):
        assert embedded_origin(data) is None


def png_chunk(png: bytes) -> bytes:
    return png[:33] + struct.pack(">I", 4) + b"caBX" + b"jumb" + b"\0" * 4 + png[33:]


def tiff_with_tag() -> bytes:
    entry = struct.pack("<HHII", 0xCD41, 7, 4, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + b"\0" * 4


@pytest.mark.parametrize(
    "data",
    [
        with_segment(picture("JPEG"), 0xEB, b"JP\0\1\0\0\0\1" + b"jumbjumd....c2pa\0"),
        png_chunk(picture("PNG")),
        b"RIFF" + struct.pack("<I", 20) + b"WEBPC2PA" + struct.pack("<I", 4) + b"jumb",
        tiff_with_tag(),
        struct.pack(">I", 16)
        + b"ftypavif....."[:12]
        + struct.pack(">I", 28)
        + b"uuid"
        + bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
        + b"\0" * 4,
    ],
)
def test_content_credentials_are_seen(data: bytes) -> None:
    assert has_credentials(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_a_file_without_credentials_has_none(form: str) -> None:
    assert not has_credentials(picture(form))
    # The word alone, in the pixels or in a comment, is none.
    assert not has_credentials(picture(form) + b"c2pa caBX C2PA")
