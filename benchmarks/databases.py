"""`ingest` with its rows on a PostgreSQL server, against a SQLite file.

    uv run python benchmarks/databases.py --shared ../shared [--rounds 5]

The 150 photos of `data/crawl/flickr`, each four times under another name with a byte more, so that
they are other photos to the engine; the teacher is `bundled`, the cheapest, so that the database's
part is as large as it gets. The server is on the same cores and writes to the disk as a real one
does (`fsync`). Rounds of both in turns; only ratios within a round are compared: of the whole run,
and of what it takes beyond one over the first photos alone, which is the start of all processes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.postgres import Server, server_programs

COPIES = 4
FIRST = 4
"""Photos of a run that is nearly all start."""
PROGRAM = (sys.executable, "-c", "from dataengine.cli import main; main()")


class Took(NamedTuple):
    """Seconds of two runs: over the whole crawl, and over its first photos alone."""

    whole: float
    start: float


def crawl(shared: Path, folder: Path) -> int:
    """Make the crawl; how many photos it has."""
    photos = sorted((shared / "data/crawl/flickr").glob("*.jpg"))
    for number in range(COPIES):
        for photo in photos:
            data = photo.read_bytes() + bytes(number)
            (folder / f"{number}-{photo.name}").write_bytes(data)
    return COPIES * len(photos)


def ingest(host: Server, root: Path, photos: Path, *, in_file: bool, limit: int) -> float:
    """Seconds of an ingest into a new workspace."""
    with ExitStack() as stack:
        more: tuple[str, ...] = ()
        if not in_file:
            more = ("--database", host.url(stack.enter_context(host.database(empty=True))))
        subprocess.run([*PROGRAM, "init", str(root), *more], check=True, capture_output=True)
        began = time.perf_counter()
        tally = run(
            root, "ingest", str(photos), "--teacher", "bundled", "--limit", str(limit), "--json"
        )
        seconds = time.perf_counter() - began
    assert json.loads(tally)["run"]["failures"] == {}, tally
    return seconds


def run(root: Path, *arguments: str) -> str:
    """Run a command of ours; what it printed."""
    command = [*PROGRAM, "-w", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compare(host: Server, shared: Path, rounds: int) -> None:
    """Print the table."""
    print("| round | SQLite | PostgreSQL | of SQLite's rate | beyond the start |")
    print("|---|---|---|---|---|")
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "crawl"
        photos.mkdir()
        number = crawl(shared, photos)
        for count in range(1, rounds + 1):
            found = {}
            for name in ("SQLite", "PostgreSQL")[:: 1 if count % 2 else -1]:
                took = [
                    ingest(
                        host,
                        Path(folder) / f"{name}-{count}-{limit}",
                        photos,
                        in_file=name == "SQLite",
                        limit=limit,
                    )
                    for limit in (number, FIRST)
                ]
                found[name] = Took(*took)
            one, other = found["SQLite"], found["PostgreSQL"]
            beyond = (one.whole - one.start) / (other.whole - other.start)
            ratios.append((one.whole / other.whole, beyond))
            print(
                f"| {count} | {number / one.whole:.1f}/s | {number / other.whole:.1f}/s | "
                f"{ratios[-1][0]:.2f} | {beyond:.2f} |",
                flush=True,
            )
    whole, beyond = (statistics.median(each) for each in zip(*ratios, strict=True))
    print(f"| **median** | | | **{whole:.2f}** | **{beyond:.2f}** |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    programs = server_programs()
    if programs is None:
        parser.error("no PostgreSQL here: apt-get install postgresql")
    host = Server(programs, flushes=True)
    try:
        compare(host, options.shared, options.rounds)
    finally:
        host.remove()


if __name__ == "__main__":
    main()
