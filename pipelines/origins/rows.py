"""Origins in the database: one a file; a photo has those of all its files."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Base, Image, Mask, OriginRow, Portrait, Source, Verdict, chunks, insert_or_replace
from pipelines.masks.verdict import verdict_of
from pipelines.origins.origin import Origin, merged
from pipelines.origins.policy import POLICY, combined_refusal
from pipelines.portraits.latest import latest_masks
from pipelines.workspace.settings import PolicySettings
from pipelines.workspace.workspace import Workspace

_FIELDS = tuple(Origin.__dataclass_fields__)


def state_origins(connection: Connection, origins: Mapping[int, Origin]) -> None:
    """Remember what a table says, which counts more than what was known before.

    Args:
        connection: in a transaction.
        origins: by source id.
    """
    for ids in chunks(origins):
        known = _of_sources(connection, ids)
        _write(connection, {key: _both(origins[key], known.get(key)) for key in ids})


def found_origins(connection: Connection, origins: Mapping[int, Origin]) -> None:
    """Remember what files or their neighbours say; what a table said before counts more.

    Args:
        connection: in a transaction.
        origins: by source id.
    """
    for ids in chunks(origins):
        known = _of_sources(connection, ids)
        both = {key: _both(known.get(key, origins[key]), origins[key]) for key in ids}
        _write(connection, both)


def forget_origins(connection: Connection, source_ids: Iterable[int]) -> None:
    """Drop what was known of files that have changed."""
    for ids in chunks(source_ids):
        connection.execute(sa.delete(OriginRow).where(OriginRow.source_id.in_(ids)))


def origins_of(connection: Connection, image_ids: Sequence[int]) -> dict[int, list[Origin]]:
    """Origins of photos by image id, those of the first file first.

    Args:
        connection: in a transaction.
        image_ids: of the photos, a few hundred at most.
    """
    query = (
        sa.select(Source.image_id, *(getattr(OriginRow, name) for name in _FIELDS))
        .join(Source, Source.id == OriginRow.source_id)
        .where(Source.image_id.in_(image_ids))
        .order_by(Source.id)
    )
    found: dict[int, list[Origin]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.image_id].append(_origin(row))
    return dict(found)


def refused_images(connection: Connection, policy: PolicySettings) -> dict[int, str]:
    """All photos that may not be used, by image id, and why.

    Args:
        connection: in a transaction.
        policy: what may be trusted, as it is now.
    """
    images = connection.execute(sa.select(Image.id).execution_options(yield_per=1000)).scalars()
    found: dict[int, str] = {}
    for ids in chunks(images):
        found |= refusals(ids, origins_of(connection, ids), policy)
    return found


def refusals(
    image_ids: Iterable[int], origins: Mapping[int, list[Origin]], policy: PolicySettings
) -> dict[int, str]:
    """Of these photos those that may not be used, and why.

    Args:
        image_ids: of the photos.
        origins: as `origins_of` gives them.
        policy: what may be trusted, as it is now.
    """
    judged = {each: combined_refusal(origins.get(each, []), policy) for each in image_ids}
    return {each: why for each, why in judged.items() if why is not None}


def apply_policy(workspace: Workspace) -> int:
    """Reject the portraits that may not be used, and take that back where they may again.

    Only the reason `policy` is added or removed; the verdict follows from what remains.

    Returns:
        The number of portraits whose verdict or reasons changed.
    """
    with workspace.engine.begin() as connection:
        refused = refused_images(connection, workspace.settings.policy)
        query = (
            sa.select(Mask.id, Mask.reasons, Portrait.image_id)
            .join(Portrait, Portrait.id == Mask.portrait_id)
            .where(latest_masks())
        )
        changed = []
        for mask_id, reasons, image_id in connection.execute(query):
            others = [reason for reason in reasons or () if reason != POLICY]
            wanted = [*others, POLICY] if image_id in refused else others
            if wanted != (reasons or []):
                verdict = Verdict.REJECTED if image_id in refused else verdict_of(others)
                changed.append({"of": mask_id, "new": wanted, "judged": verdict})
        if changed:
            masks = Base.metadata.tables["mask"]
            update = sa.update(masks).where(masks.c.id == sa.bindparam("of"))
            update = update.values(reasons=sa.bindparam("new"), verdict=sa.bindparam("judged"))
            connection.execute(update, changed)
    return len(changed)


def _both(first: Origin, second: Origin | None) -> Origin:
    return merged([first, second]) or first


def _of_sources(connection: Connection, ids: Iterable[int]) -> dict[int, Origin]:
    columns = (getattr(OriginRow, name) for name in _FIELDS)
    query = sa.select(OriginRow.source_id, *columns).where(OriginRow.source_id.in_(list(ids)))
    return {row.source_id: _origin(row) for row in connection.execute(query)}


def _origin(row: Any) -> Origin:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Origin(
        **values
        | {"opt_outs": tuple(values["opt_outs"] or ()), "evidence": tuple(values["evidence"] or ())}
    )


def _write(connection: Connection, origins: Mapping[int, Origin]) -> None:
    rows = [
        {
            "source_id": key,
            **asdict(origin),
            "opt_outs": list(origin.opt_outs),
            "evidence": list(origin.evidence),
        }
        for key, origin in origins.items()
    ]
    insert_or_replace(connection, OriginRow, rows)
