"""Stored masks and probabilities as arrays."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.store import Store


def read_grey(store: Store, key: str) -> NDArray[np.uint8]:
    """Read a mask or a probability.

    Returns:
        (H, W) uint8.

    Raises:
        WorkspaceError: the blob is missing, damaged or no image.
    """
    grey = cv2.imdecode(np.frombuffer(store.get(key), np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise WorkspaceError(f"{store.where(key)}: this blob is no image")
    return np.asarray(grey, np.uint8)
