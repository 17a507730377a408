"""Stored masks and probabilities as arrays."""

import numpy as np
from numpy.typing import NDArray

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.store import Store
from sinet.errors import PictureError
from sinet.pictures.decode import decode_grey
from sinet.pictures.threshold import is_person


def read_grey(store: Store, key: str) -> NDArray[np.uint8]:
    """Read a mask or a probability.

    Returns:
        (H, W) uint8.

    Raises:
        WorkspaceError: the blob is missing, damaged or no image.
    """
    try:
        return decode_grey(store.get(key))
    except PictureError as error:
        raise WorkspaceError(f"{store.where(key)}: this blob is no image ({error})") from error


def read_mask(store: Store, key: str) -> NDArray[np.bool_]:
    """Read a mask.

    Returns:
        (H, W) bool, true for the person.

    Raises:
        WorkspaceError: as `read_grey`.
    """
    return is_person(read_grey(store, key))
