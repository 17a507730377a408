"""A release in a folder of a bucket: created file by file, its checksums last.

Whoever finds `checksums.txt` there finds a whole release. Every file is created where there is
none, the checksums, too: of two who publish different releases there, one is refused.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipelines.lineage.checksums import released_files
from pipelines.lineage.publishable import (
    Published,
    PublishRequest,
    publishable,
    require_remembered,
)
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.object_access import Bucket, open_place
from pipelines.workspace.object_places import WEB, parse_place
from pipelines.workspace.progress import Progress
from pipelines.workspace.workspace import Workspace
from sinet.files.releases import CHECKSUMS_FILE

_THREADS = 8


def publish_to_bucket(
    workspace: Workspace, request: PublishRequest, progress: Progress
) -> Published:
    """Copy a release, of any format, into a folder of a bucket; see `publish_release`.

    Raises:
        PipelineError: it may not be published, the folder holds something else, or the bucket
            refuses or does not answer.
    """
    place = parse_place(request.repo)
    if place.scheme in WEB:
        raise PipelineError(f"{place.url}: nothing can be written to a web server")
    if request.public:
        raise PipelineError(f"{place.url}: who may see it is set in the bucket; leave out --public")
    found = publishable(workspace, request.release, None, progress)
    row, folder = found.row, found.folder
    listed = released_files(folder)
    sizes = {name: (folder / name).stat().st_size for name in listed}
    bucket = open_place(place)
    there = {each.path: each.size for each in bucket.list()}
    missing = _missing(bucket, listed, sizes, there)
    is_whole = CHECKSUMS_FILE in there
    # What somebody left there half-done is looked at; what is whole was, by whoever ended it.
    doubtful = [] if is_whole else [name for name in listed if name in there]
    if not request.dry_run:
        progress.begin(f"sending to {place.url}", len(missing) + len(doubtful), "files")

        def send(name: str) -> None:
            if name in there:
                _require_same(bucket, name, listed[name])
            else:
                _send(bucket, folder / name, name, listed[name])
            progress.advance(1)

        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(send, [*missing, *doubtful]):
                pass
        if not is_whole:
            require_remembered(workspace, row)
            _send(bucket, folder / CHECKSUMS_FILE, CHECKSUMS_FILE, listed[CHECKSUMS_FILE])
    return Published(
        repo=request.repo,
        url=place.url,
        public=None,
        release=row.name,
        checksum=row.checksum,
        commit=None,
        created=not there,
        changed=bool(missing),
        tagged=not is_whole,
        files=sizes,
        removed=[],
    )


def _missing(
    bucket: Bucket, listed: Mapping[str, str], sizes: Mapping[str, int], there: Mapping[str, int]
) -> list[str]:
    """Files that are still to be sent, but for the checksums.

    Raises:
        PipelineError: something else is there.
    """
    where = bucket.place.url
    if CHECKSUMS_FILE in there:
        sha256 = hashlib.sha256(bucket.read(CHECKSUMS_FILE)).hexdigest()
        if sha256 != listed[CHECKSUMS_FILE]:
            raise PipelineError(
                f"{where}: another release is there, and none is ever overwritten; name another "
                "folder"
            )
    for name, size in there.items():
        if name not in listed:
            raise PipelineError(f"{where}/{name}: is no file of this release; name an empty folder")
        if size != sizes[name]:
            raise PipelineError(
                f"{where}/{name}: is there with other bytes; remove it, or name an empty folder"
            )
    return [name for name in listed if name not in there and name != CHECKSUMS_FILE]


def _send(bucket: Bucket, path: Path, name: str, sha256: str) -> None:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PipelineError(f"{path}: was changed while it was sent; try `verify`")
    if not bucket.create(name, data):
        _require_same(bucket, name, sha256)


def _require_same(bucket: Bucket, name: str, sha256: str) -> None:
    if hashlib.sha256(bucket.read(name)).hexdigest() != sha256:
        raise PipelineError(
            f"{bucket.place.where(name)}: is there with other bytes; remove it, or name an empty "
            "folder"
        )
