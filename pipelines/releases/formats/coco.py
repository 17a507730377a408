"""The format `coco`: instance annotations as the COCO tools read them.

Masks are run lengths, never polygons: those would move the outline by up to half a pixel. Every
picture has one annotation, of the same id. `iscrowd` is 0, because trainers leave crowds out.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipelines.pictures.stored_masks import read_mask
from pipelines.releases.entry import Entry
from pipelines.releases.formats.parts import by_split, copy_blobs, in_order, needing, writing
from pipelines.workspace.store import Store
from sinet.json_text import to_json

_INFO = {"description": "Portraits with masks", "contributor": "dataengine"}
_UNKNOWN = "unknown: see card.md"
_SPDX = re.compile(r"CC[A-Z0-9.\-]+|MIT|Apache-2\.0|BSD-[23]-Clause")
_CATEGORIES = [{"id": 1, "name": "portrait", "supercategory": "person"}]


def check() -> None:
    """Raise PipelineError if pycocotools is not installed."""
    with needing("coco"):
        import pycocotools.mask  # noqa: F401


def write(folder: Path, entries: Sequence[Entry], store: Store) -> None:
    """Write ``images/NAME.jpg`` and ``annotations/SPLIT.json``; a negative has no annotation.

    Ids count the entries of all splits by name, from 1: a picture's id is unique in the release.

    Raises:
        PipelineError: pycocotools is not installed.
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    check()
    ids = {entry.name: number for number, entry in enumerate(in_order(entries), start=1)}
    licences = _licences(entries)
    copy_blobs(folder, ((entry.image_file, entry.image_blob) for entry in entries), store)
    with writing(folder):
        (folder / "annotations").mkdir(exist_ok=True)
        for split, members in by_split(entries).items():
            path = folder / "annotations" / f"{split}.json"
            with path.open("w", encoding="utf-8") as file:
                head = {"info": _INFO, "licenses": _listed(licences), "categories": _CATEGORIES}
                file.write(to_json(head).removesuffix("}"))
                images = (_image(entry, ids[entry.name], licences) for entry in members)
                _write_list(file, "images", images)
                drawn = (
                    _annotation(entry, ids[entry.name], store)
                    for entry in members
                    if not entry.negative
                )
                _write_list(file, "annotations", drawn)
                file.write("}\n")


def _write_list(file: IO[str], name: str, items: Iterator[dict[str, Any]]) -> None:
    """One item a line, as it comes: no list of a million masks in memory."""
    first = next(items, None)
    file.write(f',\n"{name}": [\n{to_json(first) if first else ""}')
    file.writelines(chain.from_iterable((",\n", to_json(item)) for item in items))
    file.write("\n]")


def _licences(entries: Sequence[Entry]) -> dict[str, int]:
    """Ids of licences by name, in alphabetical order; 0 is that of photos that state none."""
    names = {_licence(entry) for entry in entries} - {_UNKNOWN}
    return {name: number for number, name in enumerate([_UNKNOWN, *sorted(names)])}


def _listed(licences: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {"id": number, "name": name, "url": _address(name)} for name, number in licences.items()
    ]


def _licence(entry: Entry) -> str:
    origin = entry.origin
    return (origin and (origin.licence or origin.licence_stated)) or _UNKNOWN


def _address(name: str) -> str:
    if name.startswith(("http://", "https://")):
        return name
    return f"https://spdx.org/licenses/{name}.html" if _SPDX.fullmatch(name) else ""


def _image(entry: Entry, number: int, licences: dict[str, int]) -> dict[str, Any]:
    origin = entry.origin and entry.origin.as_dict()
    return {
        "id": number,
        "file_name": Path(entry.image_file).name,
        "width": entry.width,
        "height": entry.height,
        "license": licences[_licence(entry)],
        "coco_url": (origin and origin["url"]) or "",
        "origin": origin,
    }


def _annotation(entry: Entry, number: int, store: Store) -> dict[str, Any]:
    from pycocotools import mask as coco_mask

    pixels = read_mask(store, entry.mask_blob)
    runs = coco_mask.encode(np.asfortranarray(pixels, np.uint8))
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "segmentation": {"size": list(pixels.shape), "counts": runs["counts"].decode("ascii")},
        "area": int(coco_mask.area(runs)),
        "bbox": [float(value) for value in coco_mask.toBbox(runs)],
        "iscrowd": 0,
    }
