"""A table of photos that are grouped by blocks, and what of it was compared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from db import Image, open_engine, schema
from pipelines.pictures.near_duplicates.grouping import Fingerprint
from pipelines.portraits.near_blocks import Pair
from pipelines.portraits.near_groups import changed_groups, save_groups
from pipelines.portraits.near_pairs import Comparer
from pipelines.workspace.shelf import FolderShelf


def signed(word: int) -> int:
    """64 bits as the column holds them."""
    return (word + (1 << 63)) % (1 << 64) - (1 << 63)


class Stopped(BaseException):
    """As if the process was killed."""


class Table:
    """Photos in a database of their own.

    Attributes:
        engine: of the database.
        folder: the shelf's.
        block_photos: of a block.
        compared: pairs of blocks, in the order in which they were compared.
        lives: so many pairs are compared before the process dies.
    """

    def __init__(self, engine: Engine, folder: Path, block_photos: int | None = None) -> None:
        self.engine = engine
        self.folder = folder
        self.shelf = FolderShelf(folder)
        self.block_photos = block_photos
        self.compared: list[Pair] = []
        self.lives: int | None = None

    def insert(self, images: Sequence[Fingerprint]) -> None:
        rows = [
            {
                "id": image.image_id,
                "sha256": f"{image.image_id:064x}",
                "size_bytes": 1,
                "reasons": [],
                "phash": signed(image.phash),
                "phash_mirror": signed(image.phash_mirror),
                "descriptor": image.descriptor,
            }
            for image in images
        ]
        with self.engine.begin() as connection:
            connection.execute(sa.insert(Image), rows)

    def update(self) -> dict[int, int]:
        """Group, and write what changed."""
        changed = changed_groups(self.engine, self.shelf, self._compare, self.block_photos)
        with self.engine.begin() as connection:
            save_groups(connection, changed)
        return dict(changed.tolist())

    def groups(self) -> dict[int, int | None]:
        with self.engine.begin() as connection:
            rows = connection.execute(sa.select(Image.id, Image.group_id)).all()
        return {row.id: row.group_id for row in rows}

    def _compare(self, pairs: Sequence[Pair]) -> None:
        comparer = Comparer(self.engine, self.shelf)
        for pair in pairs:
            if self.lives is not None:
                if self.lives == 0:
                    raise Stopped
                self.lives -= 1
            comparer([pair])
            self.compared.append(pair)


@contextmanager
def table(folder: Path, block_photos: int | None = None) -> Iterator[Table]:
    """An empty one."""
    folder.mkdir(exist_ok=True)
    engine = open_engine(f"sqlite:///{folder / 'dataengine.db'}")
    schema.upgrade(engine)
    try:
        yield Table(engine, folder / "near-duplicates", block_photos)
    finally:
        engine.dispose()
