"""What may be done with a release: the licences of its photos, and of the weights behind its masks.

Never more is said than is known: one licence only if every photo is under it, and none of the masks
was made by weights that are for research use only.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.origins.licences import licence_of
from pipelines.origins.origin import Origin
from pipelines.releases.entry import Entry

# What the Hub calls those licences that it knows; of the rest it says `other`.
_HUB = {
    **{
        f"CC-{kind.upper()}-{version}": f"cc-{kind}-{version}"
        for kind, versions in {
            "by": ("2.0", "2.5", "3.0", "4.0"),
            "by-sa": ("3.0", "4.0"),
            "by-nc": ("2.0", "3.0", "4.0"),
            "by-nd": ("4.0",),
            "by-nc-nd": ("3.0", "4.0"),
            "by-nc-sa": ("2.0", "3.0", "4.0"),
        }.items()
        for version in versions
    },
    "CC0-1.0": "cc0-1.0", "MIT": "mit", "Apache-2.0": "apache-2.0", "BSD-2-Clause": "bsd-2-clause",
    "BSD-3-Clause": "bsd-3-clause", "GPL-2.0-only": "gpl-2.0", "GPL-3.0-only": "gpl-3.0",
    "Unlicense": "unlicense", "ODbL-1.0": "odbl", "PDDL-1.0": "pddl", "ODC-By-1.0": "odc-by",
}  # fmt: skip
_NO_DERIVATIVES = re.compile(r"(-|\b)nd(-|\b)", re.IGNORECASE)
_RESEARCH = re.compile(r"\bbundled@sha256:")


@dataclass(frozen=True, kw_only=True)
class Rights:
    """Who may do what, counted in portraits.

    Attributes:
        licences: those found, or stated for the whole release, as SPDX ids or addresses.
        unclear: portraits under no licence, or under words that name none.
        research: portraits whose mask weights for research use only have made.
    """

    licences: Counter[str]
    unclear: int
    research: int

    @property
    def hub_licence(self) -> str:
        """`license` of a repository on the Hub: its name for the only licence, or `other`."""
        if self.unclear:
            return "other" if self.licences else "unknown"
        if len(self.licences) == 1 and not self.research:
            return _HUB.get(next(iter(self.licences)), "other")
        return "other"

    @property
    def why_not_public(self) -> str | None:
        """What forbids to give the portraits to everybody; None: nothing known."""
        if self.unclear:
            return (
                f"nobody has said under which licence {self.unclear:,} of its photos are; say it "
                "in their tables of origins or as `licence` in [release], and export again"
            )
        closed = sorted(each for each in self.licences if _NO_DERIVATIVES.search(each))
        if closed:
            number = sum(self.licences[each] for each in closed)
            return (
                f"{number:,} of its photos are under {closed[0]}, which allows no changed copies, "
                "and a portrait is one; leave them out by `licences` in [policy], and export again"
            )
        return None


def rights_of(entries: Iterable[Entry], stated: str | None) -> Rights:
    """Count what the members of a release are under.

    Args:
        entries: its members.
        stated: `licence` in `[release]`: counts for photos of which nothing else is known, if it
            names a licence.
    """
    licences: Counter[str] = Counter()
    whole = licence_of(stated)
    unclear = research = 0
    for entry in entries:
        found = entry.origin or Origin()
        licence = found.licence if found.licence or found.licence_stated else whole
        if licence is None:
            unclear += 1
        else:
            licences[licence] += 1
        research += _RESEARCH.search(entry.producer) is not None
    return Rights(licences=licences, unclear=unclear, research=research)
