"""A release's folder against its checksums.txt; needs no workspace.

`checksums.txt` is `sha256sum`'s: a hash, two spaces, and a path relative to the folder, a line for
every file but itself, by path. Its own SHA-256 is the release's checksum.
"""

import hashlib
import re
from pathlib import Path

from pipelines.lineage.hashing import hash_files
from pipelines.lineage.report import Fault, Report
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.progress import Progress
from sinet.files.releases import CHECKSUMS_FILE

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def checksum_of(folder: Path) -> str:
    """The release's checksum: SHA-256 of its checksums.txt.

    Raises:
        PipelineError: the folder has none, or it cannot be read.
    """
    return hashlib.sha256(_read(folder)).hexdigest()


def check_release(folder: Path, report: Report, progress: Progress) -> None:
    """Compare every file of a release with its checksum, and look for files without one.

    Raises:
        PipelineError: the folder has no checksums.txt, so it is no release.
    """
    listed = _listed(folder, _read(folder), report)
    progress.begin(f"checking {folder}", len(listed), "files")
    files = ((name, folder / name) for name in listed)
    for found in hash_files(files):
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
    for name in sorted(_present(folder) - set(listed) - {CHECKSUMS_FILE}):
        path = str(folder / name)
        report.add(
            Fault.UNLISTED_FILE, path, f"{path}: was not released: {CHECKSUMS_FILE} lacks it"
        )
    report.releases += 1


def _read(folder: Path) -> bytes:
    path = folder / CHECKSUMS_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PipelineError(
            f"{folder}: has no {CHECKSUMS_FILE}: not a release, or one that was never finished"
        ) from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror or error})") from error


def _listed(folder: Path, data: bytes, report: Report) -> dict[str, str]:
    """Hashes by path; lines that say nothing are named, and so are paths that lead elsewhere."""
    listed: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "backslashreplace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None or Path(match[2]).is_absolute() or ".." in Path(match[2]).parts:
            path = str(folder / CHECKSUMS_FILE)
            message = (
                f"{path}, line {number}: is no checksum of a file in this folder: {line[:80]!r}"
            )
            report.add(Fault.CHECKSUMS, path, message)
        else:
            listed[match[2]] = match[1]
    return listed


def _present(folder: Path) -> set[str]:
    """Paths of all files in a folder, links included, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
