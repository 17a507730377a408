"""How long a report takes, how large it becomes and how much memory that takes.

    uv run python benchmarks/pages.py --workspace DIR --portraits 100000

The rows of a workspace are repeated until there are so many portraits, in a copy of its database
(a file); its blobs are shared, so that pictures are real. Nothing is written to the workspace.
"""

import argparse
import resource
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pipelines

REPEATED = (
    "image", "source", "portrait", "mask", "mask_doubt", "mask_signals", "portrait_traits",
    "review_request", "review",
)  # fmt: skip
NAMES = {
    "image_id": "image", "portrait_id": "portrait", "mask_id": "mask", "group_id": "image",
    "request_id": "review_request", "fixed_mask_id": "mask",
}  # fmt: skip
"""Columns that name rows, and of which table."""


def repeat(database: Path, portraits: int) -> int:
    """Add copies of all rows until there are enough portraits; their number."""
    with closing(sqlite3.connect(database)) as connection:
        # The rows that are there; of tables whose ids are named these are their ids.
        most = {
            table: connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0] or 0
            for table in REPEATED
        }
        count = connection.execute("SELECT count(*) FROM portrait").fetchone()[0]
        for number in range(1, -(-portraits // count)):
            for table in REPEATED:
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                values = ", ".join(_value(table, name, number, most) for name in columns)
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(map(_quoted, columns))}) "
                    f"SELECT {values} FROM {table} WHERE rowid <= {most[table]}"
                )
        connection.commit()
        return int(connection.execute("SELECT count(*) FROM portrait").fetchone()[0])


def _value(table: str, name: str, number: int, most: dict[str, int]) -> str:
    """SQL for a column of a copy: other ids, other keys, the rest as it was."""
    if name == "id":
        return f"id + {number * most[table]}"
    if name in NAMES:
        return f"{name} + {number * most[NAMES[name]]}"
    if name == "sha256":
        return f"substr(sha256, 1, 56) || '{number:08x}'"
    if name in ("uri", "key"):
        return f"{name} || '-{number}'"
    return "NULL" if name == "annotation_id" else _quoted(name)


def _quoted(name: str) -> str:
    return f'"{name}"'


def measure(workspace: Path, portraits: int) -> None:
    """Print what a report of so many portraits takes."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / workspace.name
        copy.mkdir()
        for name in ("dataengine.toml", "dataengine.db"):
            shutil.copy(workspace / name, copy / name)
        (copy / "store").symlink_to((workspace / "store").absolute())
        print(f"{repeat(copy / 'dataengine.db', portraits):,} portraits")
        out = Path(folder) / "report.html"
        with closing(pipelines.open_workspace(copy, read_only=True)) as opened:
            began, used = time.monotonic(), time.process_time()
            done = pipelines.write_report(opened, pipelines.ReportRequest(out=out))
            seconds, cpu = time.monotonic() - began, time.process_time() - used
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"{done.pictures:,} pictures, {done.size_bytes / 1e6:.1f} MB")
        print(f"{seconds:.1f} s, {cpu:.1f} s of them on processors, {most / 1024:.0f} MiB at most")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--portraits", type=int, default=100_000)
    asked = parser.parse_args()
    measure(asked.workspace, asked.portraits)
