"""Thirds of the portraits by each trait: where masks are accepted less often, or found bad more.

Thirds, because each then has enough portraits to say something, whatever the crawl is like; their
limits are printed. Shares of few masks come with exact intervals, as everywhere.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy.engine import Connection

from db import reader
from pipelines.doubt.decided import decided_masks
from pipelines.doubt.stored_traits import known_traits, remember_traits
from pipelines.pictures.thirds import thirds
from pipelines.pictures.traits import TITLES
from pipelines.portraits.reviewer_errors import Rate, rate, told_bad_below
from pipelines.portraits.standing import MinSource, Standing, standings
from pipelines.workspace.store import Store
from pipelines.workspace.workspace import Workspace


class _HasBad(Protocol):
    """A slice of which the share of bad masks is known."""

    @property
    def bad_rate(self) -> Rate:
        """Of the masks that were judged."""
        ...


_Judged = TypeVar("_Judged", bound=_HasBad)


@dataclass(frozen=True)
class Slice:
    """The portraits with like values of one trait.

    Attributes:
        trait: see `pipelines.pictures.traits.Traits`.
        low: smallest value among them.
        high: largest.
        portraits: their ids.
    """

    trait: str
    low: float
    high: float
    portraits: frozenset[int]


@dataclass(frozen=True)
class SliceLine:
    """How the portraits of a slice stand.

    Attributes:
        trait: of the slice, like `low` and `high`.
        low: see `Slice`.
        high: see `Slice`.
        portraits: how many.
        decided: of them with a decision, by a person or a certificate.
        accepted: of the decided ones those with a trusted mask.
        bad_rate: of the masks that chance chose and people decided about.
    """

    trait: str
    low: float
    high: float
    portraits: int
    decided: int
    accepted: int
    bad_rate: Rate


def cut(values: Mapping[int, Mapping[str, float]]) -> list[Slice]:
    """Cut portraits into thirds by each trait.

    Args:
        values: portrait → trait → value.

    Returns:
        By trait, from low to high; fewer than thirds where many portraits share a value.
    """
    return [
        Slice(trait, each.low, each.high, each.members)
        for trait in TITLES
        for each in thirds({key: of_portrait[trait] for key, of_portrait in values.items()})
    ]


def slice_lines(workspace: Workspace) -> list[SliceLine]:
    """How all portraits with a mask stand, by slice.

    Args:
        workspace: opened; traits that are not known yet are computed and remembered.

    Raises:
        WorkspaceError: a blob is missing or damaged.
    """
    remember_traits(workspace)
    with reader(workspace.engine).begin() as connection:
        standing = standings(connection, MinSource.ANY)
        slices = cut(known_traits(connection))
        return lines_of(connection, workspace.store, slices, standing)


def lines_of(
    connection: Connection,
    store: Store,
    slices: Iterable[Slice],
    standing: Mapping[int, Standing],
) -> list[SliceLine]:
    """How the portraits of some slices stand.

    Args:
        connection: in a transaction.
        store: of the masks.
        slices: as `cut` gives them.
        standing: of all portraits with a mask, by portrait, whatever the source of their masks.

    Raises:
        WorkspaceError: a blob is missing or damaged.
    """
    drawn = {
        each.portrait_id: each.bad
        for each in decided_masks(connection, store, told_bad_below(connection))
        if each.at_random
    }
    decided = {each for each, of in standing.items() if of.looked_at}
    accepted = {each for each in decided if standing[each].trusted is not None}
    return [
        SliceLine(
            each.trait,
            each.low,
            each.high,
            len(each.portraits),
            len(each.portraits & decided),
            len(each.portraits & accepted),
            bad_of(each, drawn),
        )
        for each in slices
    ]


def least_accepted(lines: Collection[SliceLine]) -> SliceLine | None:
    """The slice of which the smallest share of the decided was accepted; None without decisions."""
    known = [line for line in lines if line.decided]
    return min(known, key=lambda line: line.accepted / line.decided, default=None)


def most_bad(lines: Collection[_Judged]) -> _Judged | None:
    """The slice that is bad most surely; None where none was bad.

    That with the highest lower end of the interval, so that one bad mask of one is no reason.
    """
    known = [line for line in lines if line.bad_rate.errors]
    return max(known, key=lambda line: (line.bad_rate.low, line.bad_rate.high), default=None)


def rate_of_worst(lines: Collection[SliceLine], worst: SliceLine) -> Rate:
    """Its share of bad masks, with an interval that knows from how many slices it was chosen."""
    return rate(worst.bad_rate.errors, worst.bad_rate.shown, among=len(lines))


def bad_of(each: Slice, known: Mapping[int, bool]) -> Rate:
    """Share of bad masks among the known ones of a slice; `known` maps portraits to bad."""
    inside = [bad for portrait_id, bad in known.items() if portrait_id in each.portraits]
    return rate(sum(inside), len(inside))
