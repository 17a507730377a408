"""A release's members are kept on the disk, and chosen in pieces."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from db import Split, reader
from pipelines.portraits.splits import places
from pipelines.portraits.standing import MinSource, standings
from pipelines.releases.entry import Entry
from pipelines.releases.formats.parts import by_split, in_order
from pipelines.releases.kept import KeptEntries, Part
from pipelines.releases.selection import Selection, select
from pipelines.workspace.settings import PolicySettings
from pipelines.workspace.workspace import Workspace
from sinet.batching import batches
from tests.pipelines.portraits.conftest import COUNT, Decide, certify, mask_ids, place

_T = TypeVar("_T")


@pytest.fixture
def half_decided(workspace: Workspace, decide: Decide) -> Workspace:
    """Accepted, rejected, certified and undecided portraits in all splits."""
    decide({number: "accept" if number % 3 else "reject" for number in range(1, COUNT - 4)})
    certify(workspace, mask_ids(workspace)[COUNT - 1])
    splits = list(Split)
    place(workspace, {number: splits[number // 3 % 3] for number in range(1, COUNT + 1)})
    return workspace


def chosen(workspace: Workspace) -> Selection:
    with reader(workspace.engine).begin() as connection:
        return select(
            connection, MinSource.ANY, PolicySettings(), folder=workspace.paths.root, negatives=True
        )


def test_what_is_kept_is_read_as_any_sequence(half_decided: Workspace) -> None:
    expected = list(chosen(half_decided).entries)
    kept = KeptEntries(half_decided.paths.root)
    assert not kept
    for entry in expected:
        kept.append(entry)
        assert kept[-1] == entry, "while others follow"
    assert (len(kept), list(kept)) == (len(expected), expected)
    assert (kept[3], kept[-2], kept[2:9:3]) == (expected[3], expected[-2], expected[2:9:3])
    with pytest.raises(IndexError):
        kept[len(expected)]
    part = Part(kept, [4, 0, 2])
    assert list(part) == [expected[4], expected[0], expected[2]]
    assert (part[-1], part[1:]) == (expected[2], [expected[0], expected[2]])


def test_nothing_is_left_of_it(half_decided: Workspace) -> None:
    def names() -> set[str]:
        return {path.name for path in half_decided.paths.root.iterdir()}

    before = names()
    selection = chosen(half_decided)
    assert selection.entries
    assert names() == before


def test_pieces_change_nothing(half_decided: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_threes(items: Iterable[_T], size: int = 3) -> Iterable[list[_T]]:
        return batches(items, size)

    whole = chosen(half_decided)
    monkeypatch.setattr("pipelines.releases.selection.chunks", in_threes)
    monkeypatch.setattr("pipelines.releases.negatives.chunks", in_threes)
    pieces = chosen(half_decided)
    assert list(pieces.entries) == list(whole.entries)
    for name in ("people", "test", "left_out", "untrusted", "refused", "findings"):
        assert getattr(pieces, name) == getattr(whole, name)
    assert len(whole.entries) > 3
    assert whole.test.rejected


def test_some_stand_as_they_do_among_all(half_decided: Workspace) -> None:
    with reader(half_decided.engine).begin() as connection:
        everybody, everywhere = standings(connection, MinSource.ANY), places(connection)
        for ids in ([1, 2], [COUNT - 1], [COUNT, 3, 9], []):
            some = standings(connection, MinSource.ANY, ids)
            assert some == {key: everybody[key] for key in ids}
            assert places(connection, ids) == {key: everywhere[key] for key in ids}


def test_formats_take_them_in_any_order(half_decided: Workspace, tmp_path: Path) -> None:
    entries = list(chosen(half_decided).entries)
    kept = KeptEntries(tmp_path)
    for entry in reversed(entries):
        kept.append(entry)
    assert list(in_order(kept)) == entries
    of_split: dict[Split, list[Entry]] = {}
    for entry in entries:
        of_split.setdefault(entry.split, []).append(entry)
    assert {split: list(part) for split, part in by_split(kept).items()} == of_split
    alone = [dataclasses.replace(entry, split=Split.VAL) for entry in entries]
    assert list(by_split(alone)) == [Split.VAL], "an empty split is left out"
