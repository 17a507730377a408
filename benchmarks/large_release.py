"""Whether a release's memory and time grow with the number of portraits as they should.

    uv run python benchmarks/large_release.py --portraits 100000 300000 1000000 --format webdataset

Rows are made up; each portrait has one of 64 small pictures, so that what is measured is the choice
of what is released, the manifest and the writing, not the disk. Half the masks were imported, two
in five were accepted by a person, the rest nobody has decided about. Every size runs in a process
of its own, which tells its peak memory.
"""

import argparse
import hashlib
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import sqlalchemy as sa

from db import Image, Mask, OriginRow, Portrait, Review, Source, chunks
from pipelines.releases.exporting import ExportRequest, export_release
from pipelines.releases.formats import Format
from pipelines.workspace.opening import init_workspace
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace

PICTURES = 64
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def fill(workspace: Workspace, portraits: int) -> None:
    """Make the rows."""
    rng = np.random.default_rng(0)
    pictures = []
    for number in range(PICTURES):
        pixels = rng.integers(0, 255, (96, 72, 3), np.uint8)
        mask = np.zeros((96, 72), np.uint8)
        cv2.circle(mask, (36, 48), 20 + number % 10, 255, -1)
        crop = workspace.store.put(BlobKind.PORTRAIT, encoded(".jpg", pixels))
        pictures.append((crop, workspace.store.put(BlobKind.MASK, encoded(".png", mask))))
    workspace.intents.settle()
    with workspace.engine.begin() as connection:
        for ids in chunks(range(1, portraits + 1), 10_000):
            for table, rows in rows_of(ids, pictures).items():
                connection.execute(sa.insert(table), rows)


def rows_of(ids: list[int], pictures: list[tuple[str, str]]) -> dict[Any, list[dict[str, Any]]]:
    """Rows by table, in the order in which they go in."""
    rows: dict[Any, list[dict[str, Any]]] = {
        each: [] for each in (Image, Source, OriginRow, Portrait, Mask, Review)
    }
    scores = dict.fromkeys(("area", "confidence", "band_entropy", "face_in_mask", "spill"), 0.5)
    for key in ids:
        crop, mask = pictures[key % PICTURES]
        digest = hashlib.sha256(str(key).encode()).hexdigest()
        imported, accepted = key % 10 < 5, 5 <= key % 10 < 9
        rows[Image].append(
            {"id": key, "sha256": digest, "size_bytes": 1, "width": 72, "height": 96,
             "group_id": key, "phash": key, "phash_mirror": key, "outcome": "portraits"}
        )  # fmt: skip
        rows[Source].append({"id": key, "uri": f"file:///crawl/{digest}.jpg", "image_id": key})
        rows[OriginRow].append(
            {"source_id": key, "url": f"https://example.org/{digest}.jpg", "author": f"A {key}",
             "licence": "CC-BY-4.0", "evidence": ["a table"]}
        )  # fmt: skip
        rows[Portrait].append(
            {"id": key, "image_id": key, "ordinal": 0, "face_box": [20.0, 20.0, 50.0, 60.0],
             "landmarks": [], "face_confidence": 1.0, "crop_box": [0, 0, 72, 96], "width": 72,
             "height": 96, "blob": crop, "detector": "made up"}
        )  # fmt: skip
        rows[Mask].append(
            {"id": key, "portrait_id": key, "revision": 1, "blob": mask,
             "source": "import" if imported else "teacher", "producer": "made up",
             "verdict": "candidate", "reasons": [], "scores": scores}
        )  # fmt: skip
        if accepted:
            rows[Review].append(
                {"mask_id": key, "decision": "accept", "reviewer": "a@example.org",
                 "decided_at": WHEN}
            )  # fmt: skip
    return {table: each for table, each in rows.items() if each}


def encoded(suffix: str, pixels: Any) -> bytes:
    """A picture file."""
    return cv2.imencode(suffix, pixels)[1].tobytes()


def measure(root: Path, form: Format, answer: Any) -> None:
    """Release once, and tell what it took."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    with closing(Workspace(root, load_settings(root))) as workspace:
        found = export_release(workspace, ExportRequest(out=root / "out", format=form))
    after = resource.getrusage(resource.RUSAGE_SELF)
    answer.send(
        {
            "released": found.counts.portraits,
            "seconds": time.perf_counter() - began,
            "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "peak_mib": after.ru_maxrss / 1024,
            "before_mib": before.ru_maxrss / 1024,
        }
    )


def measured(portraits: int, form: Format) -> Iterator[str]:
    """A row of the table."""
    folder = Path(tempfile.mkdtemp())
    try:
        root = folder / "workspace"
        init_workspace(root)
        with closing(Workspace(root, load_settings(root))) as workspace:
            fill(workspace, portraits)
        context = multiprocessing.get_context("spawn")
        reading, answer = context.Pipe(duplex=False)
        child = context.Process(target=measure, args=(root, form, answer))
        child.start()
        answer.close()  # a child that dies is an end of file, not a silence
        found = reading.recv()
        child.join()
        yield (
            f"| {portraits:,} | {found['released']:,} | {found['seconds']:.0f} s | "
            f"{found['cpu']:.0f} s | {found['cpu'] / portraits * 1e6:.0f} µs | "
            f"{found['peak_mib']:,.0f} MiB |"
        )
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--portraits", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--format", type=Format, choices=list(Format), default=Format.WEBDATASET)
    options = parser.parse_args()
    print("| portraits | released | time | processor | a portrait | peak memory |")
    print("|---|---|---|---|---|---|")
    for portraits in options.portraits:
        for line in measured(portraits, options.format):
            print(line, flush=True)


if __name__ == "__main__":
    main()
