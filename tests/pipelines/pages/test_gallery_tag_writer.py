"""The journal that a gallery writes is the one that `gallery pull` reads."""

import os
from pathlib import Path

import pytest

from pipelines.pages.gallery.tag_writer import TagWriter
from pipelines.review.tag_journal import read_journal

SHOWN = {1, 2, 3}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "tags.jsonl"


def standing(journal: Path) -> set[tuple[int, str]]:
    return {(tag.mask_id, tag.name) for tag in read_journal(journal) if tag.removed_at is None}


def test_what_is_set_and_taken_away(journal: Path) -> None:
    writer = TagWriter(journal, SHOWN)
    assert read_journal(journal) == []
    writer.note({(1, "fix"), (2, "reject")})
    first = read_journal(journal)
    assert standing(journal) == {(1, "fix"), (2, "reject")}
    writer.note({(1, "fix"), (2, "reject")})
    assert read_journal(journal) == first
    writer.note({(1, "fix")})
    assert standing(journal) == {(1, "fix")}
    writer.note({(1, "fix"), (2, "reject")})
    assert standing(journal) == {(1, "fix"), (2, "reject")}
    assert len({tag.key for tag in read_journal(journal)}) == 3


def test_a_gallery_that_starts_again_goes_on(journal: Path) -> None:
    TagWriter(journal, SHOWN).note({(1, "fix"), (9, "reject"), (2, "é\n\u2028 <b>")})
    before = read_journal(journal)
    # Mask 9 was replaced meanwhile: what was said of it stays said.
    again = TagWriter(journal, SHOWN)
    assert set(again.standing) == {(1, "fix"), (2, "é\n\u2028 <b>")}
    again.note(set(again.standing))
    assert read_journal(journal) == before
    again.note({(1, "fix")})
    assert standing(journal) == {(1, "fix"), (9, "reject")}


def test_a_line_that_was_cut_off_is_written_again(journal: Path) -> None:
    TagWriter(journal, SHOWN).note({(1, "fix"), (2, "fix")})
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    writer = TagWriter(journal, SHOWN)
    assert len(writer.standing) == 1
    writer.note({(1, "fix"), (2, "fix")})
    assert standing(journal) == {(1, "fix"), (2, "fix")}


def test_each_look_leaves_its_time(journal: Path) -> None:
    writer = TagWriter(journal, SHOWN)
    writer.note(set())
    os.utime(journal, (0, 0))
    writer.note(set())
    assert journal.stat().st_mtime > 0


def test_what_cannot_be_written_is_tried_again(journal: Path) -> None:
    writer = TagWriter(journal, SHOWN)
    journal.unlink()
    journal.mkdir()
    with pytest.raises(OSError, match="directory"):
        writer.note({(1, "fix")})
    journal.rmdir()
    writer.note({(1, "fix")})
    assert standing(journal) == {(1, "fix")}
