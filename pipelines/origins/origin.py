"""What is known of where a photo came from."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

MAX_CHARACTERS = 2_000
"""Of each text; what is longer is cut: it comes from outside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a photo came from, as far as anything says so.

    Attributes:
        url: of the file that was downloaded.
        page: on which it was found, or what else it was part of.
        author: who made it, or who wants to be named.
        licence: as an SPDX id, or as the licence's URL where there is no id; None: cannot be told.
        licence_stated: what was written about it.
        opt_outs: what speaks against learning from it, such as `noai`; in alphabetical order.
        consent: of the people in it; None: nothing says.
        downloaded_at: when it was downloaded.
        c2pa: it carries content credentials (they are not verified).
        evidence: where all this was read, in the order in which it counts.
    """

    url: str | None = None
    page: str | None = None
    author: str | None = None
    licence: str | None = None
    licence_stated: str | None = None
    opt_outs: tuple[str, ...] = ()
    consent: bool | None = None
    downloaded_at: datetime | None = None
    c2pa: bool = False
    evidence: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether anything says where it came from: an address, a page, an author or a licence."""
        return any((self.url, self.page, self.author, self.licence, self.licence_stated))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        # Not `asdict`, which copies every text: half of a manifest's time.
        values = {name: getattr(self, name) for name in self.__slots__}
        values["downloaded_at"] = self.downloaded_at and self.downloaded_at.isoformat()
        return values | {"opt_outs": list(self.opt_outs), "evidence": list(self.evidence)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Origin":
        """Read back what `as_dict` made.

        Raises:
            KeyError: it lacks something.
            ValueError: a time cannot be read.
        """
        known = {field.name: values[field.name] for field in fields(cls)}
        time = known["downloaded_at"]
        known["downloaded_at"] = datetime.fromisoformat(time) if time else None
        for name in ("opt_outs", "evidence"):
            known[name] = tuple(known[name])
        return cls(**known)


def merged(origins: Iterable[Origin | None]) -> Origin | None:
    """What several say together: of each field the first that knows it, every opt-out.

    A licence and what was stated of it are taken from the same one. No consent outweighs consent.

    Returns:
        None if there is nothing.
    """
    found = [each for each in origins if each is not None]
    if not found:
        return None
    result = found[0]
    for other in found[1:]:
        licensed = result if result.licence or result.licence_stated else other
        result = replace(
            result,
            url=result.url or other.url,
            page=result.page or other.page,
            author=result.author or other.author,
            licence=licensed.licence,
            licence_stated=licensed.licence_stated,
            opt_outs=tuple(sorted({*result.opt_outs, *other.opt_outs})),
            consent=_agreed(result.consent, other.consent),
            downloaded_at=result.downloaded_at or other.downloaded_at,
            c2pa=result.c2pa or other.c2pa,
            evidence=tuple(dict.fromkeys((*result.evidence, *other.evidence))),
        )
    return result


def _agreed(one: bool | None, other: bool | None) -> bool | None:
    if one is None or other is None:
        return other if one is None else one
    return one and other
