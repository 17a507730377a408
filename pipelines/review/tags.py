"""What people tagged in the gallery comes back: each tag once, with whoever set it.

`reject` is a decision about the mask that was shown, like one that somebody was asked for; `review`
and `fix` are wishes that people be asked, which the next push meets (`called_for`). A tag that is
taken away in the gallery is taken back here; nothing is overwritten. All of a pull is one
transaction: it has happened or it has not.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Decision, GalleryTag, Mask, Review, Tag, chunks, insert_new
from pipelines.portraits.latest import latest_masks
from pipelines.review.tag_journal import JournalTag, read_journal
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace

_NAMES: Final = frozenset(map(str, Tag))
_LONGEST_NAME: Final = 200
_RULE: Final = re.compile(r"certificate\b", re.IGNORECASE)


@dataclass(kw_only=True)
class PulledTags:
    """What a pull found that was not known.

    Attributes:
        tags: new ones, by name: `reject` are decisions, `review` and `fix` questions to come.
        withdrawn: tags known before that were taken away in the gallery since.
        outdated: new ones whose mask had been replaced: nothing follows from them.
        gone: ones whose portrait was forgotten or is not in this workspace.
        other: ones of other names, which stay in the gallery.
    """

    tags: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    outdated: int = 0
    gone: int = 0
    other: int = 0


def pull_tags(workspace: Workspace, journal: Path, by: str) -> PulledTags:
    """Take over what was tagged since the last pull.

    Args:
        workspace: opened to write.
        journal: of the gallery.
        by: whose tags they are; as Label Studio knows them, so that somebody has one vote.

    Raises:
        PipelineError: nobody is called that, or the journal is not one.
    """
    author = _author(by)
    tags = read_journal(journal)
    result = PulledTags(other=sum(_is_other(tag) for tag in tags))
    ours = [tag for tag in tags if tag.name in _NAMES]
    with workspace.engine.begin() as connection:
        known = _known(connection, [tag.key for tag in ours])
        there = _masks(connection, [tag.mask_id for tag in ours])
        for tag in ours:
            if tag.mask_id not in there:
                result.gone += tag.removed_at is None
            elif tag.key not in known:
                if tag.removed_at is None:
                    _add(connection, tag, author, result, is_latest=there[tag.mask_id])
            elif tag.removed_at is not None and not known[tag.key]:
                _withdraw(connection, tag, result)
    return result


def _is_other(tag: JournalTag) -> bool:
    return tag.removed_at is None and tag.name not in _NAMES


def _author(by: str) -> str:
    name = by.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise PipelineError(f"--by: a name of 1 to {_LONGEST_NAME} printable characters is needed")
    if _RULE.match(name):
        raise PipelineError(f"--by {name}: certificates are called that; give a person's name")
    return name


def _known(connection: Connection, keys: Sequence[str]) -> dict[str, bool]:
    """Keys that were pulled, and whether they are withdrawn."""
    columns = sa.select(GalleryTag.key, GalleryTag.withdrawn_at)
    return {
        row.key: row.withdrawn_at is not None
        for some in chunks(keys)
        for row in connection.execute(columns.where(GalleryTag.key.in_(some)))
    }


def _masks(connection: Connection, mask_ids: Sequence[int]) -> dict[int, bool]:
    """Masks that are there, and whether they are their portraits' latest."""
    found: dict[int, bool] = {}
    for some in chunks(sorted(set(mask_ids))):
        of_these = sa.select(Mask.id).where(Mask.id.in_(some))
        found |= dict.fromkeys(connection.scalars(of_these), False)
        found |= dict.fromkeys(connection.scalars(of_these.where(latest_masks())), True)
    return found


def _add(
    connection: Connection, tag: JournalTag, author: str, result: PulledTags, *, is_latest: bool
) -> None:
    """Note a tag and what follows from it, unless another pull was quicker."""
    now = datetime.now(UTC)
    when = min(tag.set_at.astimezone(UTC), now)
    row = {
        "key": tag.key,
        "mask_id": tag.mask_id,
        "tag": Tag(tag.name),
        "tagged_by": author,
        "tagged_at": when,
        "withdrawn_at": None if is_latest else now,
    }
    added = insert_new(connection, GalleryTag, [row])
    if not added:
        return
    if not is_latest:
        result.outdated += 1
        return
    result.tags[tag.name] += 1
    if row["tag"] is Tag.REJECT:
        decision = sa.insert(Review).values(
            mask_id=tag.mask_id, decision=Decision.REJECT, reviewer=author, decided_at=when
        )
        review_id = connection.scalars(decision.returning(Review.id)).one()
        update = sa.update(GalleryTag).where(GalleryTag.id == added[0])
        connection.execute(update.values(review_id=review_id))


def _withdraw(connection: Connection, tag: JournalTag, result: PulledTags) -> None:
    """Take back a tag, and the decision that it was."""
    now = datetime.now(UTC)
    held = sa.update(GalleryTag).where(GalleryTag.key == tag.key, GalleryTag.withdrawn_at.is_(None))
    result.withdrawn += connection.execute(held.values(withdrawn_at=now)).rowcount
    of_tag = sa.select(GalleryTag.review_id).where(GalleryTag.key == tag.key)
    decision = sa.update(Review).where(
        Review.id == of_tag.scalar_subquery(), Review.withdrawn_at.is_(None)
    )
    connection.execute(decision.values(withdrawn_at=now))
