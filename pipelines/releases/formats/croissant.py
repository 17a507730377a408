"""Croissant 1.0, with the vocabulary for responsible AI: what a release is, for machines.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html and croissant-rai-spec.html. Only what
is known is said: no property stands there with a guess.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.releases.formats.columns import COLUMNS, Kind
from pipelines.releases.rights import Rights

_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES: Final = {
    Kind.TEXT: "sc:Text",
    Kind.JSON: "sc:Text",
    Kind.INTEGER: "sc:Integer",
    Kind.NUMBER: "sc:Float",
    Kind.FLAG: "sc:Boolean",
    Kind.TEXTS: "sc:Text",
    Kind.INTEGERS: "sc:Integer",
}
_PICTURES: Final = {
    "image": "the portrait, a JPEG",
    "mask": "of the same size, a PNG of 0 and 255: 255 is the portrait",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is said of a release beside its fields.

    Attributes:
        trust: portraits by why their mask is trusted.
        producers: networks that made masks, with the hash of their weights.
        certificates: masks, bound on the share of bad ones, and confidence of each.
        consented: portraits of people of whom it is said that they consented.
        refused: of people of whom it is said that they did not.
        rights: under which licences photos and masks are.
    """

    trust: Mapping[str, int]
    producers: Sequence[str]
    certificates: Sequence[tuple[int, float, float]]
    consented: int
    refused: int
    rights: Rights


def described(name: str, tables: str, facts: Facts) -> dict[str, Any]:
    """The document, as JSON-LD.

    Args:
        name: of the dataset.
        tables: Parquet files, as a pattern relative to the document.
        facts: all else that it says.
    """
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": name,
        "description": f"{sum(facts.trust.values()):,} portraits, each with a mask of the person.",
        "license": _licences(facts.rights),
        "isLiveDataset": False,
        "keywords": ["portrait segmentation", "image segmentation", "people"],
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": "tables",
                "name": "tables",
                "description": "Pictures, masks and what is known of them; hashes in checksums.txt",
                "encodingFormat": "application/x-parquet",
                "includes": tables,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "portraits",
                "name": "portraits",
                "description": "A record a portrait.",
                "key": {"@id": "portraits/id"},
                "field": [
                    *(_picture(name, meaning) for name, meaning in _PICTURES.items()),
                    *(_field(name, *each) for name, each in COLUMNS.items()),
                ],
            }
        ],
        **_responsible(facts),
    }


def _licences(rights: Rights) -> list[str]:
    names = [
        name if name.startswith("https://") else f"https://spdx.org/licenses/{name}.html"
        for name in sorted(rights.licences)
    ]
    unclear = f"not known for {rights.unclear:,} portraits: see README.md"
    return [*names, unclear] if rights.unclear else names


def _picture(name: str, meaning: str) -> dict[str, Any]:
    field = _described(name, "sc:ImageObject", meaning)
    field["source"]["transform"] = {"jsonPath": "bytes"}
    return field


def _field(name: str, kind: Kind, meaning: str) -> dict[str, Any]:
    if kind is Kind.JSON:
        meaning += " (JSON as text)"
    field = _described(name, _TYPES[kind], meaning)
    return field | ({"repeated": True} if kind in (Kind.TEXTS, Kind.INTEGERS) else {})


def _described(name: str, kind: str, meaning: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"portraits/{name}",
        "name": name,
        "description": meaning,
        "dataType": kind,
        "source": {"fileSet": {"@id": "tables"}, "extract": {"column": name}},
    }


def _responsible(facts: Facts) -> dict[str, Any]:
    by_people = sum(Counter(facts.trust)[name] for name in ("accepted", "fixed"))
    by_trust = ", ".join(f"{number:,} {name}" for name, number in sorted(facts.trust.items()))
    proofs = [
        f"Of {masks:,} masks that a certificate accepted at most {bound:.2%} are bad, with "
        f"{confidence:.0%} confidence, by a blind audit."
        for masks, bound, confidence in facts.certificates
    ]
    return {
        "rai:dataCollection": "Photos were taken in from files; the record's `origin` says where "
        "each came from, as far as anything did. Nobody has verified that.",
        "rai:dataPreprocessingProtocol": [
            "Photos were turned upright, converted to sRGB and cropped around a detected face.",
            "The crops carry no EXIF, GPS or other metadata.",
            "Near-duplicates share a split.",
        ],
        "rai:dataAnnotationProtocol": [
            "Masks are binary, and made by a network or a person.",
            "Trusted: accepted or fixed by a person, certified by an audit, or imported.",
            f"The record's `trust` says which: {by_trust}.",
        ],
        **({"rai:dataAnnotationPlatform": "Label Studio"} if by_people else {}),
        **({"rai:machineAnnotationTools": list(facts.producers)} if facts.producers else {}),
        **({"rai:dataAnnotationAnalysis": proofs} if proofs else {}),
        "rai:personalSensitiveInformation": [
            "Photos show people's faces, so people can be recognised.",
            f"Consent: {facts.consented:,} given, {facts.refused:,} refused, others not known.",
        ],
        "rai:dataBiases": [
            "Whoever the face detector overlooks is missing.",
            "Portraits without a trusted mask are missing, and hard ones have one less often.",
            "Age, gender, skin tone and region are not balanced and were not recorded.",
        ],
        "rai:dataLimitations": "Masks are hard: hair and blur have no soft edge. One person a "
        "portrait is masked, whoever else is in it.",
        "rai:dataUseCases": ["Training", "Testing"],
        "rai:dataReleaseMaintenancePlan": "A release never changes; checksums.txt tells. What has "
        "to go is left out of the next one.",
    }
