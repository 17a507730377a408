"""Licences as people write them."""

import pytest

from pipelines.origins.licences import licence_of


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("cc by-nc-sa 4.0", "CC-BY-NC-SA-4.0"),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0"),
        ("Creative Commons BY-ND 3.0", "CC-BY-ND-3.0"),
        ("site content CC-BY-4.0 (ropensci.org)", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-sa/2.0/", "CC-BY-SA-2.0"),
        ("http://creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
        (
            "https://creativecommons.org/licenses/by/3.0/de/",
            "https://creativecommons.org/licenses/by/3.0/de/",
        ),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        (
            "https://creativecommons.org/publicdomain/mark/1.0/",
            "https://creativecommons.org/publicdomain/mark/1.0/",
        ),
        ("CC0-1.0 / US-gov public domain", "CC0-1.0"),
        ("CC0", "CC0-1.0"),
        ("CC BY", "https://creativecommons.org/licenses/by/"),
        ("Attribution-NonCommercial-ShareAlike 2.0 Generic", "CC-BY-NC-SA-2.0"),
        ("MIT", "MIT"),
        # A repository's licence is not that of the photos in it; a choice is not one licence.
        ("MIT repo; web photos", None),
        ("BSD-3 repo", None),
        ("CC-BY-4.0 or CC-BY-SA-4.0", None),
        ("not CC-BY-4.0", None),
        ("CC-BY-4.0 except for the photos", None),
        ("All rights reserved", None),
        ("none stated; Google images + GRAZ-01", None),
        ("accessory cc bytes", None),
        ("", None),
        (None, None),
    ],
)
def test_what_can_be_told_is_told_and_nothing_else(text: str | None, licence: str | None) -> None:
    assert licence_of(text) == licence
