"""Which files are a workspace's own, or a release's: never part of a crawl, wherever they lie.

A crop that is taken in again is cropped once more, and its copies multiply by every run.
"""

import os
from collections.abc import Iterable
from enum import StrEnum

from pipelines.workspace.folder_store import IDENTITY_FILE
from sinet.files.releases import CHECKSUMS_FILE, MANIFEST_FILE

# Names stay plain text: a crawl has as many folders as it likes.
# ruff: noqa: PTH113, PTH118

SETTINGS_FILE = "dataengine.toml"
OWN_FOLDERS = frozenset({"store", "runs", "releases", "locks", "spool", "cache"})
_RELEASE = (CHECKSUMS_FILE, MANIFEST_FILE)


class Own(StrEnum):
    """Whose file it is."""

    WORKSPACE = "workspace"
    RELEASE = "release"


class OwnFiles:
    """Tells a workspace's own files and releases from a crawl's; asks the disk once a folder."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[str, Own | None] = {}
        self._roots: dict[str, bool] = {}

    def of_folder(self, path: str) -> Own | None:
        """Whose everything in a folder is, subfolders included; None: not ours as a whole.

        Args:
            path: of a folder; links count as what they lead to.
        """
        return self._of_real(os.path.realpath(path))

    def of_file(self, path: str) -> Own | None:
        """Whose a file is; None: not ours.

        Args:
            path: of a file; links count as what they lead to.
        """
        folder, name = os.path.split(os.path.realpath(path))
        if name.startswith("dataengine.") and self._is_root(folder):
            return Own.WORKSPACE
        return self._of_real(folder)

    def _of_real(self, folder: str) -> Own | None:
        if folder not in self._known:
            parent, name = os.path.split(folder)
            found = self._of_real(parent) if name else None
            self._known[folder] = found or self._by_itself(folder, parent, name)
        return self._known[folder]

    def _by_itself(self, folder: str, parent: str, name: str) -> Own | None:
        if name in OWN_FOLDERS and self._is_root(parent):
            return Own.WORKSPACE
        if os.path.isfile(os.path.join(folder, IDENTITY_FILE)):
            return Own.WORKSPACE  # a store by itself
        if all(os.path.isfile(os.path.join(folder, each)) for each in _RELEASE):
            return Own.RELEASE
        return None

    def _is_root(self, folder: str) -> bool:
        if folder not in self._roots:
            self._roots[folder] = os.path.isfile(os.path.join(folder, SETTINGS_FILE))
        return self._roots[folder]


def own_members(names: Iterable[str]) -> dict[str, Own]:
    """Folders of an archive that are a workspace's own, or a release.

    Args:
        names: of all members, with slashes.

    Returns:
        By the folder's name with a slash at its end: everything below is ours.
    """
    there = set(names)
    found: dict[str, Own] = {}
    for name in there:
        folder, slash, last = name.rpartition("/")
        root = folder + slash
        if last == SETTINGS_FILE:
            found |= {f"{root}{each}/": Own.WORKSPACE for each in OWN_FOLDERS}
            found[f"{root}dataengine."] = Own.WORKSPACE
        elif last == IDENTITY_FILE:
            found[root] = Own.WORKSPACE
        elif last == CHECKSUMS_FILE and f"{root}{MANIFEST_FILE}" in there:
            found[root] = Own.RELEASE
    return found
