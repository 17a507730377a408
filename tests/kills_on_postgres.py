"""The same kills with the rows on a PostgreSQL server, maybe with the blobs in a bucket, too.

In the end all is as on SQLite and in a folder, undisturbed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from db import WorkspaceRow, copy_rows, open_engine, reader, schema
from pipelines.workspace.folder_store import FOLDER_MARK
from pipelines.workspace.object_store import MARK_FILE
from tests.kills import NEVER, Command, Tally, campaign, copied, state_differences
from tests.object_storage import server as storage
from tests.postgres import server

Beside = Callable[[Path], AbstractContextManager[Mapping[str, str]]]


def campaign_on_postgres(
    template: Path,
    command: Command,
    folder: Path,
    *,
    compare: Callable[[Path, Path], list[str]] = state_differences,
    blobs: Callable[[Beside], Beside] = lambda beside: beside,
    **options: Any,
) -> Tally:
    """As `campaign`, against a run that nobody disturbed on SQLite and in a folder.

    Args:
        template, command, folder, compare, options: see `campaign`.
        blobs: `in_bucket`, or nothing.
    """
    in_file = copied(template, folder / "in-file")
    with command.runs_in(in_file) as run_once:
        ended = run_once(NEVER)
    assert ended.code == 0, ended.err
    return campaign(
        template,
        replace(command, beside=on_server(blobs(command.beside))),
        folder,
        compare=lambda _, world: compare(in_file, world),
        **options,
    )


def in_bucket(
    beside: Beside,
) -> Beside:
    """Beside the runs in a new world: its blobs in a bucket, and in the end in its folder again."""

    @contextmanager
    def with_blobs_elsewhere(world: Path) -> Iterator[Mapping[str, str]]:
        with storage().bucket() as bucket, beside(world) as environment:
            elsewhere = {
                "DATAENGINE_STORE__URL": f"s3://{bucket}/store",
                "DATAENGINE_STORE__CACHE_BYTES": "0",
            }
            yield {**environment, **storage().environment(), **elsewhere}
            for key, data in storage().objects(bucket).items():
                if key.endswith(f"/{MARK_FILE}"):  # a folder has none
                    continue
                path = world / "ws" / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    return with_blobs_elsewhere


def on_server(
    beside: Beside,
) -> Beside:
    """Beside the runs in a world: its rows on a server, and in the end in its file again."""

    @contextmanager
    def with_rows_elsewhere(world: Path) -> Iterator[Mapping[str, str]]:
        file = world / "ws/dataengine.db"
        made = server().copy_of(file) if file.exists() else server().database(empty=True)
        with made as name, beside(world) as environment:
            for each in file.parent.glob(f"{file.name}*"):
                each.unlink()
            yield {**environment, "DATAENGINE_DATABASE": server().url(name)}
            _bring_back(server().url(name), file)

    return with_rows_elsewhere


def _bring_back(url: str, file: Path) -> None:
    source, target = open_engine(url), open_engine(f"sqlite:///{file}")
    try:
        if schema.check(source):
            with reader(source).begin() as connection:
                copy_rows(connection, target)
            with target.begin() as connection:  # as the blobs are brought back, too
                connection.execute(sa.update(WorkspaceRow).values(store=FOLDER_MARK))
    finally:
        source.dispose()
        target.dispose()
