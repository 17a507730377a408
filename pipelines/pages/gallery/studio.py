"""Runs in LightlyStudio's own environment, not in ours: fills it and serves it.

    python studio.py FOLDER

FOLDER is what `dataset.py` wrote. Nothing of this package can be imported here but what lies beside
this file and needs nothing. The two sides have files in common: `gallery.json`, `rows.jsonl`,
`features.npy`, `images/`, and the journal of tags, to which this side only adds.
"""
# ruff: noqa: E402

# Before this line of the log uv was at work.
print("gallery: installed", flush=True)  # noqa: T201

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import lightly_studio
import numpy as np
import uvicorn
from gate import Gate
from lightly_studio.api.app import app
from lightly_studio.core.image import add_images
from lightly_studio.database import db_manager
from lightly_studio.embed.embedding_storage import store_embeddings
from lightly_studio.models.annotation.annotation_base import AnnotationCreate, AnnotationType
from lightly_studio.models.annotation_label import AnnotationLabelCreate
from lightly_studio.models.embedding_model import EmbeddingModelCreate
from lightly_studio.models.sample import SampleTagLinkTable
from lightly_studio.models.tag import TagTable
from lightly_studio.resolvers import (
    annotation_label_resolver,
    annotation_resolver,
    collection_embedding_model_resolver,
    embedding_model_resolver,
    metadata_resolver,
    settings_resolver,
    tag_resolver,
)
from sqlmodel import col, select
from tag_writer import MaskTag, TagWriter

TOKEN_VARIABLE: Final = "GALLERY_TOKEN"  # noqa: S105 - its name
TAGS: Final = ("review", "fix", "reject")
_AT_ONCE: Final = 500
_LOOK_SECONDS: Final = 1.0
log = logging.getLogger("gallery")


def fill(folder: Path, name: str, network: str) -> tuple[Any, dict[UUID, int]]:
    """Make a new database of a gallery's masks.

    Args:
        folder: see above.
        name: of the workspace.
        network: whose features lie in the folder.

    Returns:
        The data set, and which mask each sample shows.
    """
    db_manager.connect(db_file=str(folder / "studio.duckdb"), cleanup_existing=True)
    dataset = lightly_studio.ImageDataset.create(name)
    session = dataset.session
    rows = _rows(folder)
    paths = {str(folder / "images" / row["image"]): row for row in rows}
    ids = add_images.load_into_dataset_from_paths(
        session=session,
        root_collection_id=dataset.collection_id,
        image_paths=list(paths),
        show_progress=False,
    )
    samples = [(ids[path], row) for path, row in paths.items() if path in ids]
    for some in _pieces(iter(samples)):
        fields = [(sample, row["fields"]) for sample, row in some]
        metadata_resolver.bulk_update_metadata(session, fields)
    _add_masks(dataset, samples)
    numbers = {row["mask"]: number for number, row in enumerate(rows)}
    places = [numbers[row["mask"]] for _, row in samples]
    _add_features(dataset, network, [sample for sample, _ in samples], folder, places)
    settings = settings_resolver.get_settings(session)
    settings.show_bounding_boxes_for_segmentation = False
    settings_resolver.set_settings(session, settings)
    return dataset, {sample: row["mask"] for sample, row in samples}


def _rows(folder: Path) -> list[dict[str, Any]]:
    with (folder / "rows.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _add_masks(dataset: Any, samples: list[tuple[UUID, dict[str, Any]]]) -> None:
    named = AnnotationLabelCreate(dataset_id=dataset.dataset_id, annotation_label_name="portrait")
    label = annotation_label_resolver.create(session=dataset.session, label=named)
    drawn = ((sample, row) for sample, row in samples if row["box"])
    for some in _pieces(drawn):
        annotations = []
        for sample, row in some:
            x, y, width, height = row["box"]
            annotations.append(
                AnnotationCreate(
                    annotation_label_id=label.annotation_label_id,
                    annotation_type=AnnotationType.SEGMENTATION_MASK,
                    parent_sample_id=sample,
                    x=x,
                    y=y,
                    width=width,
                    height=height,
                    segmentation_mask=row["runs"],
                )
            )
        annotation_resolver.create_many(
            session=dataset.session,
            parent_collection_id=dataset.collection_id,
            annotations=annotations,
            collection_name="mask",
        )


def _add_features(
    dataset: Any, network: str, samples: list[UUID], folder: Path, places: list[int]
) -> None:
    """What the map is drawn from: our features, so that no network of theirs is fetched."""
    found = np.load(folder / "features.npy", allow_pickle=False)[places]
    session, collection = dataset.session, dataset.collection_id
    new = EmbeddingModelCreate(
        name=network, embedding_dimension=found.shape[1], dataset_id=dataset.dataset_id
    )
    model = embedding_model_resolver.create(session, new).embedding_model_id
    collection_embedding_model_resolver.get_or_add_collection_model(session, collection, model)
    collection_embedding_model_resolver.set_default(session, collection, model)
    store_embeddings(session, model, samples, found, show_progress=False)


def _pieces(items: Iterator[Any]) -> Iterator[list[Any]]:
    while piece := list(islice(items, _AT_ONCE)):
        yield piece


class Tags:
    """What is tagged in the program, and the journal that it is written to."""

    def __init__(self, journal: Path, collection: UUID, masks: dict[UUID, int]) -> None:
        """Know which mask each sample shows."""
        self._collection, self._masks = collection, masks
        self._writer = TagWriter(journal, set(masks.values()))

    def put_back(self, session: Any) -> None:
        """Set in the new database what the journal says is set."""
        sample_of = {mask: sample for sample, mask in self._masks.items()}
        standing = list(self._writer.standing)
        for name in dict.fromkeys((*TAGS, *(name for _, name in standing))):
            tag = tag_resolver.get_or_create_sample_tag_by_name(
                session=session, collection_id=self._collection, tag_name=name
            )
            samples = [sample_of[mask] for mask, each in standing if each == name]
            if samples:
                tag_resolver.add_sample_ids_to_tag_id(session, tag.tag_id, samples)

    def look(self) -> None:
        """Write down what has changed since the last look."""
        query = (
            select(SampleTagLinkTable.sample_id, TagTable.name)
            .join(TagTable, col(TagTable.tag_id) == col(SampleTagLinkTable.tag_id))
            .where(col(TagTable.collection_id) == self._collection)
        )
        with db_manager.session() as session:
            found = [tuple(row) for row in session.exec(query).all()]
        now: set[MaskTag] = {
            (self._masks[sample], name) for sample, name in found if sample in self._masks
        }
        self._writer.note(now)

    def watch(self, ended: threading.Event) -> None:
        """Look every second until it has ended."""
        while not ended.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # whatever it is, the next look may succeed
                log.exception("the tags could not be written down")


def main(folder: Path) -> None:
    """Fill it, serve it, and write tags down until SIGTERM."""
    said = json.loads((folder / "gallery.json").read_text(encoding="utf-8"))
    token = os.environ.pop(TOKEN_VARIABLE)
    dataset, masks = fill(folder, said["name"], said["network"])
    tags = Tags(Path(said["journal"]), dataset.collection_id, masks)
    tags.put_back(dataset.session)
    ended = threading.Event()

    def last_look() -> None:
        ended.set()
        tags.look()

    watching = threading.Thread(target=tags.watch, args=(ended,), daemon=True)
    watching.start()
    config = uvicorn.Config(
        Gate(app, token, said["port"], last_look),
        host="127.0.0.1",
        port=said["port"],
        http="h11",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
