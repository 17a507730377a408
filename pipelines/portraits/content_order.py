"""An order of masks that does not tell when they came.

Ids are given as workers finish, so that the same photos get other ones in another run. Whatever a
seed is to decide goes through masks in this order: then the same photos and the same seed come to
the same.
"""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from db import Image, Mask, Portrait, chunks


def in_content_order(connection: Connection, mask_ids: Collection[int]) -> list[int]:
    """Masks by the hash of their photo's bytes, its portraits and their revisions in turn.

    Args:
        connection: in a transaction.
        mask_ids: each once.
    """
    query = (
        sa.select(Image.sha256, Portrait.ordinal, Mask.revision, Mask.id)
        .join(Portrait, Portrait.id == Mask.portrait_id)
        .join(Image, Image.id == Portrait.image_id)
    )
    found = [
        row
        for piece in chunks(mask_ids)
        for row in connection.execute(query.where(Mask.id.in_(piece)))
    ]
    return [row.id for row in sorted(found, key=tuple)]
