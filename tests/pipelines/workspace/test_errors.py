"""Errors of an item go from a worker's process to the one that tells of them."""

import pickle

import pytest

from pipelines.workspace.errors import ItemError
from pipelines.workspace.object_errors import ChangedObjectError
from sinet.errors import PictureError


@pytest.mark.parametrize(
    "error",
    [
        ItemError("truncated", "a.jpg: it ends in the middle"),
        PictureError("mask_size", "a.png: 3 × 4 pixels"),
        ChangedObjectError("s3://crawl/a.jpg has changed", passes=True),
    ],
)
def test_an_error_arrives_whole(error: Exception) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert (str(arrived), vars(arrived)) == (str(error), vars(error))
