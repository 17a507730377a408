"""What a manifest says of a portrait, as columns: each of one type, whatever the portrait is like.

A line of the manifest is nested and leaves out what is not there: some have a certificate, few an
origin, each its own scores. Readers of tables take a column's type from the first rows they see
and fail at the first one that differs, so tables hold such fields as JSON.
"""

from enum import Enum
from typing import Any, Final

from pipelines.releases.entry import Entry
from sinet.json_text import to_json


class Kind(Enum):
    """The type of a column."""

    TEXT = "text"
    JSON = "JSON as text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "true or false"
    TEXTS = "list of texts"
    INTEGERS = "list of integers"


COLUMNS: Final[dict[str, tuple[Kind, str]]] = {
    "id": (Kind.TEXT, "name of the portrait, the same in every release"),
    "split": (Kind.TEXT, "train, val or test; near-duplicates share one"),
    "image_sha256": (Kind.TEXT, "of the picture's file"),
    "mask_sha256": (Kind.TEXT, "of the mask's file"),
    "trust": (Kind.TEXT, "why the mask is trusted: accepted, fixed, imported or certified"),
    "mask_source": (Kind.TEXT, "who made the mask"),
    "producer": (Kind.TEXT, "the network and its weights, or the rule or person that made it"),
    "verdict": (Kind.TEXT, "of the automatic checks"),
    "decided_at": (Kind.TEXT, "when a person accepted or drew it, in ISO 8601"),
    "photo_sha256": (Kind.TEXT, "of the photo the portrait was cropped from"),
    "scores": (Kind.JSON, "of the mask, by name"),
    "certificate": (Kind.JSON, "what a mask stands on that nobody decided about"),
    "origin": (Kind.JSON, "where the photo came from, as far as anything says"),
    "width": (Kind.INTEGER, "of picture and mask, in pixels"),
    "height": (Kind.INTEGER, "likewise"),
    "portrait_id": (Kind.INTEGER, "in the workspace; negatives have none"),
    "mask_id": (Kind.INTEGER, "likewise"),
    "mask_revision": (Kind.INTEGER, "which of the portrait's masks it is"),
    "group_id": (Kind.INTEGER, "of the photo's near-duplicates"),
    "rotation": (Kind.INTEGER, "degrees clockwise by which the crop was rotated"),
    "reasons": (Kind.TEXTS, "of the verdict"),
    "crop_box": (Kind.INTEGERS, "x0, y0, x1, y1 in the upright photo, the last two exclusive"),
    "face_height": (Kind.NUMBER, "in pixels"),
    "audited": (Kind.FLAG, "people saw the mask in its certificate's audit"),
    "negative": (Kind.FLAG, "nobody is in the picture, and the mask is empty"),
}
"""Type and meaning by name, for all fields of a manifest but the paths `image` and `mask`."""

_WITHOUT_NULL: Final[dict[Kind, Any]] = {Kind.TEXT: "", Kind.INTEGER: 0}


def table_row(entry: Entry) -> dict[str, Any]:
    """A row for readers that know each column's type; what is not there is None."""
    row = entry.manifest()
    for name, (kind, _) in COLUMNS.items():
        if kind is Kind.JSON and row[name] is not None:
            row[name] = to_json(row[name], sort_keys=True)
    return row


def plain_row(entry: Entry) -> dict[str, Any]:
    """A row for readers that guess the types from the first few: nothing in it is null or nested.

    Also an empty list has no type, so lists of texts are JSON, too. An empty text and the number 0
    stand for what is not there, and the JSON `null`.
    """
    row = entry.manifest()
    for name, (kind, _) in COLUMNS.items():
        if kind in (Kind.JSON, Kind.TEXTS):
            row[name] = to_json(row[name], sort_keys=True)
        elif kind is Kind.NUMBER:
            row[name] = float(row[name])
        elif row[name] is None:
            row[name] = _WITHOUT_NULL[kind]
    return row
