"""Where people were overlooked, by what photos without a face are like."""

import pytest
from scipy.stats import binom

from pipelines.releases.audited_slices import AuditedPhotos, FacelessPhoto, audited_slices

ALPHA = 0.05


def photo(number: float | None, site: str | None = None) -> FacelessPhoto:
    return FacelessPhoto(short_side=number, brightness=number, sharpness=number, site=site)


def of_trait(found: list[AuditedPhotos], trait: str) -> list[AuditedPhotos]:
    return [each for each in found if each.trait == trait]


def test_counts_and_bounds_that_hold_at_once() -> None:
    photos = {number: photo(number) for number in range(60)}
    found = audited_slices(photos, {0, 1, 2, 40}, ALPHA)
    sizes = of_trait(found, "short_side")
    assert [(each.low, each.high) for each in sizes] == [(0, 19), (20, 39), (40, 59)]
    assert [(each.audited, each.errors) for each in sizes] == [(20, 3), (20, 0), (20, 1)]
    assert len(found) == 9
    assert of_trait(found, "site") == [], "nothing says where any is from"
    for each in found:
        # Of a share as large as the bound, so few are seen with a ninth of what may be spent.
        assert binom.cdf(each.errors, each.audited, each.bound) == pytest.approx(ALPHA / 9)


def test_many_sites_and_photos_that_are_gone() -> None:
    sites = [*("abcde" * 4), "f", "g", None]
    photos = {number: photo(number, site) for number, site in enumerate(sites)}
    photos[99] = photo(None, "a")
    found = audited_slices(photos, {20, 99}, ALPHA)
    named = {each.value: (each.audited, each.errors) for each in of_trait(found, "site")}
    assert named == {"a": (5, 1), "b": (4, 0), "c": (4, 0), "d": (4, 0), "e": (4, 0),
                     "another": (3, 1)}  # fmt: skip
    gone = [each for each in of_trait(found, "sharpness") if each.value == "not measured"]
    assert [(each.audited, each.errors, each.low) for each in gone] == [(1, 1, None)]
