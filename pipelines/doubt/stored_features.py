"""What a network sees in portraits, as vectors: computed once, then remembered."""

from collections.abc import Callable, Collection, Iterable
from typing import Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from db import Portrait, PortraitFeatures, chunks, insert_or_replace, reader
from pipelines.networks.features import features
from pipelines.pictures.decode import decode_jpeg_crop
from pipelines.workspace.errors import ItemError
from pipelines.workspace.progress import SILENT, Progress, tracked
from pipelines.workspace.store import Store
from pipelines.workspace.workspace import Workspace
from sinet.network_ref import NetworkRef

_AT_ONCE: Final = 256
_STORED: Final = np.dtype("<f4")


def stored_features(
    workspace: Workspace,
    network: NetworkRef,
    portrait_ids: Iterable[int],
    progress: Progress = SILENT,
) -> dict[int, NDArray[np.float32]]:
    """Features by portrait; those that are not known yet are computed.

    Args:
        workspace: opened; to read, and nothing is remembered.
        network: a checkpoint; what another one saw is replaced.
        portrait_ids: of portraits that are there; others are left out.
        progress: told of every portrait that is looked at.

    Returns:
        float32 (C,) each; a crop that cannot be decoded is seen as black.

    Raises:
        ModelError: the checkpoint cannot be read.
        WorkspaceError: a blob is missing or damaged.
    """
    wanted = sorted(set(portrait_ids))
    with reader(workspace.engine).begin() as connection:
        found = known_features(connection, network.recorded, wanted)
        blobs = {
            row.id: row.blob
            for ids in chunks([each for each in wanted if each not in found])
            for row in connection.execute(
                sa.select(Portrait.id, Portrait.blob).where(Portrait.id.in_(ids))
            )
        }
    if not blobs:
        return found
    pictures = [_reads(workspace.store, blob) for blob in blobs.values()]
    seen = tracked(progress, features(network, pictures), "describing", "portraits", len(blobs))
    for piece in chunks(list(zip(blobs, seen, strict=True)), _AT_ONCE):
        found.update(piece)
        if not workspace.read_only:
            with workspace.engine.begin() as connection:
                _remember(connection, network.recorded, dict(piece))
    return found


def known_features(
    connection: Connection, network: str, portrait_ids: Collection[int]
) -> dict[int, NDArray[np.float32]]:
    """What is remembered of a network that is recorded by this name, by portrait."""
    query = sa.select(PortraitFeatures.portrait_id, PortraitFeatures.vector)
    query = query.where(PortraitFeatures.network == network)
    return {
        row.portrait_id: np.frombuffer(row.vector, _STORED).astype(np.float32)
        for ids in chunks(portrait_ids)
        for row in connection.execute(query.where(PortraitFeatures.portrait_id.in_(ids)))
    }


def _remember(connection: Connection, network: str, found: dict[int, NDArray[np.float32]]) -> None:
    # A portrait may have been forgotten meanwhile.
    there = set(connection.scalars(sa.select(Portrait.id).where(Portrait.id.in_(found))))
    rows = [
        {"portrait_id": each, "network": network, "vector": vector.astype(_STORED).tobytes()}
        for each, vector in found.items()
        if each in there
    ]
    insert_or_replace(connection, PortraitFeatures, rows)


def _reads(store: Store, blob: str) -> Callable[[], NDArray[np.uint8]]:
    def read() -> NDArray[np.uint8]:
        try:
            return decode_jpeg_crop(store.get(blob))
        except ItemError:
            # Its bytes are what was stored: others show what they can of it.
            return np.zeros((1, 1, 3), np.uint8)

    return read
