"""A release's folder against its checksums.txt; needs no workspace.

`checksums.txt` is `sha256sum`'s: a hash, two spaces, and a path relative to the folder, a line for
every file but itself, by path. Its own SHA-256 is the release's checksum.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from pipelines.lineage.hashing import hash_files
from pipelines.lineage.report import Fault, Report
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.files import open_regular
from pipelines.workspace.progress import Progress
from sinet.files.releases import CHECKSUMS_FILE

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def checksum_of(folder: Path) -> str:
    """The release's checksum: SHA-256 of its checksums.txt.

    Raises:
        PipelineError: the folder has none, or it cannot be read.
    """
    return hashlib.sha256(_read(folder)).hexdigest()


def released_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a release by its path, that of checksums.txt among them.

    Raises:
        PipelineError: the folder has no checksums.txt, or one that is damaged.
    """
    report, data = Report(), _read(folder)
    listed = _listed(folder, data, report)
    if report.problems:
        raise PipelineError(report.problems[0].message)
    return {**listed, CHECKSUMS_FILE: hashlib.sha256(data).hexdigest()}


def check_release(folder: Path, report: Report, progress: Progress) -> None:
    """Compare every file of a release with its checksum, and look for what does not belong.

    Nothing is followed: a link is no file and no folder of a release, wherever it leads.

    Raises:
        PipelineError: the folder has no checksums.txt, so it is no release.
    """
    listed = _listed(folder, _read(folder), report)
    present = _present(folder)
    odd = {name for name, what in present.items() if what is not _What.FILE}
    for name in sorted(odd):
        if name in listed or any(path.startswith(f"{name}/") for path in listed):
            path = str(folder / name)
            message = f"{path}: is {present[name].value}, not what was released"
            report.add(Fault.NOT_A_FILE, path, message)
    wanted = [name for name in listed if not _is_at_or_below(name, odd)]
    progress.begin(f"checking {folder}", len(wanted), "files")
    for found in hash_files((name, folder / name) for name in wanted):
        path = str(folder / found.item)
        if found.sha256 is None:
            problem = f"cannot be read ({found.error})" if found.error else "is missing"
            report.add(Fault.MISSING_FILE, path, f"{path}: {problem}")
        elif found.sha256 != listed[found.item]:
            message = f"{path}: its content is not what was released (checksum {found.sha256})"
            report.add(Fault.DAMAGED_FILE, path, message)
        report.files += 1
        report.bytes += found.size_bytes
        progress.advance(1, report.read)
    released = {*listed, CHECKSUMS_FILE, *(folder for name in listed for folder in _above(name))}
    for name in sorted(set(present) - released):
        path = str(folder / name)
        report.add(
            Fault.UNLISTED_FILE, path, f"{path}: was not released: {CHECKSUMS_FILE} lacks it"
        )
    report.releases += 1


class _What(Enum):
    """What stands at a path of a folder; folders themselves are walked into."""

    FILE = "a file"
    LINK = "a link"
    OTHER = "neither a file nor a folder"


def _read(folder: Path) -> bytes:
    path = folder / CHECKSUMS_FILE
    try:
        with open_regular(path, links=False) as file:
            return file.read()
    except FileNotFoundError:
        raise PipelineError(
            f"{folder}: has no {CHECKSUMS_FILE}: not a release, or one that was never finished"
        ) from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror or error})") from error


def _listed(folder: Path, data: bytes, report: Report) -> dict[str, str]:
    """Hashes by path; what says nothing, says it twice, or leads elsewhere is named."""
    path = str(folder / CHECKSUMS_FILE)
    listed: dict[str, str] = {}
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    for number, line in enumerate(lines[: -1 if lines[-1] == "" else None], start=1):
        match = _LINE.fullmatch(line)
        if match is None or not _is_inside(match[2]):
            said = f"is no checksum of a file in this folder: {line[:80]!r}"
            report.add(Fault.CHECKSUMS, path, f"{path}, line {number}: {said}")
        elif match[2] in listed:
            said = f"names {match[2]!r} a second time"
            report.add(Fault.CHECKSUMS, path, f"{path}, line {number}: {said}")
        else:
            listed[match[2]] = match[1]
    if not listed:
        report.add(Fault.CHECKSUMS, path, f"{path}: lists no file: nothing is left of a release")
    return listed


def _is_inside(name: str) -> bool:
    """Whether a path is a plain one below the folder."""
    return name != CHECKSUMS_FILE and all(part not in ("", ".", "..") for part in name.split("/"))


def _is_at_or_below(name: str, places: set[str]) -> bool:
    return name in places or any(folder in places for folder in _above(name))


def _above(name: str) -> Iterator[str]:
    """The folders that a path goes through: ``a`` and ``a/b`` for ``a/b/c``."""
    parts = name.split("/")[:-1]
    return ("/".join(parts[: number + 1]) for number in range(len(parts)))


def _present(folder: Path) -> dict[str, _What]:
    """What is in a folder and the folders in it, by paths relative to it; links are not followed.

    Raises:
        PipelineError: one of them cannot be read.
    """
    found: dict[str, _What] = {}
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        try:
            with os.scandir(folder / inner) as entries:
                for entry in entries:
                    name = f"{inner}{entry.name}"
                    if entry.is_symlink():
                        found[name] = _What.LINK
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{name}/")
                    else:
                        is_file = entry.is_file(follow_symlinks=False)
                        found[name] = _What.FILE if is_file else _What.OTHER
        except OSError as error:
            raise PipelineError(
                f"{folder / inner}: cannot be read ({error.strerror or error})"
            ) from error
    return found
