"""What a release says of its licence: never more than is known."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipelines.origins.origin import Origin
from pipelines.releases.entry import Entry
from pipelines.releases.rights import Rights, rights_of


def rights(
    entries: Sequence[Entry],
    *licences: str | None,
    stated: str | None = None,
    producer: str = "somebody",
) -> Rights:
    """Of a portrait under each licence; None: nothing says where the photo came from."""
    found = [
        replace(entry, origin=licence and Origin(licence=licence), producer=producer)
        for entry, licence in zip(entries, licences, strict=False)
    ]
    return rights_of(found, stated)


@pytest.mark.parametrize(
    ("licences", "stated", "expected"),
    [
        (("CC0-1.0", "CC0-1.0"), None, "cc0-1.0"),
        (("CC-BY-SA-4.0",), None, "cc-by-sa-4.0"),
        (("CC-BY-NC-4.0",), None, "cc-by-nc-4.0"),
        (("CC-BY-1.0",), None, "other"),  # the Hub has no name for it
        (("CC0-1.0", "CC-BY-4.0"), None, "other"),
        (("CC0-1.0", None), None, "other"),
        ((None, None), None, "unknown"),
        ((None, None), "CC0-1.0", "cc0-1.0"),
        ((None, None), "Everybody signed a release.", "unknown"),
        (("CC-BY-4.0", None), "CC0-1.0", "other"),
    ],
)
def test_the_licence_on_the_hub(
    licences: tuple[str | None, ...], stated: str | None, expected: str, entries: Sequence[Entry]
) -> None:
    assert rights(entries, *licences, stated=stated).hub_licence == expected


def test_words_that_name_no_licence_are_not_outvoted(entries: Sequence[Entry]) -> None:
    photo = replace(entries[0], origin=Origin(licence_stated="press photo, all rights reserved"))
    assert rights_of([photo], "CC0-1.0").hub_licence == "unknown"


@pytest.mark.parametrize("network", ["bundled", "sinet:bundled"])
def test_masks_by_weights_for_research_only(network: str, entries: Sequence[Entry]) -> None:
    made = rights(entries, "CC0-1.0", producer=f"{network}@sha256:0123456789abcdef")
    assert (made.research, made.hub_licence) == (1, "other")
    assert rights(entries, "CC0-1.0", producer="onnx:my_bundled.onnx@sha256:01").research == 0
