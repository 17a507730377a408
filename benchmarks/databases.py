"""`ingest` with its rows on a PostgreSQL server, against a SQLite file.

    uv run python benchmarks/databases.py --shared ../shared [--rounds 5]

The 150 photos of `data/crawl/flickr`, each four times under another name with a byte more, so that
they are other photos to the engine; the teacher is `bundled`, the cheapest, so that the database's
part is as large as it gets. The server is on the same cores and writes to the disk as a real one
does (`fsync`). Rounds of both, the first in turns; only ratios within a round are compared.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.postgres import Server, server_programs

COPIES = 4
PROGRAM = (sys.executable, "-c", "from dataengine.cli import main; main()")


def crawl(shared: Path, folder: Path) -> int:
    """Make the crawl; how many photos it has."""
    photos = sorted((shared / "data/crawl/flickr").glob("*.jpg"))
    for number in range(COPIES):
        for photo in photos:
            data = photo.read_bytes() + bytes(number)
            (folder / f"{number}-{photo.name}").write_bytes(data)
    return COPIES * len(photos)


def ingest(root: Path, photos: Path, database: str | None) -> float:
    """Seconds of an ingest into a new workspace."""
    more = () if database is None else ("--database", database)
    subprocess.run([*PROGRAM, "init", str(root), *more], check=True, capture_output=True)
    began = time.perf_counter()
    tally = run(root, "ingest", str(photos), "--teacher", "bundled", "--json")
    seconds = time.perf_counter() - began
    found = json.loads(tally)
    assert found["run"]["failures"] == {}, tally
    return seconds


def run(root: Path, *arguments: str) -> str:
    """Run a command of ours; what it printed."""
    command = [*PROGRAM, "-w", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compare(host: Server, shared: Path, rounds: int) -> None:
    """Print the table."""
    print("| round | SQLite | PostgreSQL | of SQLite's rate |")
    print("|---|---|---|---|")
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "crawl"
        photos.mkdir()
        number = crawl(shared, photos)
        for count in range(1, rounds + 1):
            found = {}
            for name in ("SQLite", "PostgreSQL")[:: 1 if count % 2 else -1]:
                root = Path(folder) / f"{name}-{count}"
                if name == "SQLite":
                    found[name] = ingest(root, photos, None)
                else:
                    with host.database(empty=True) as database:
                        found[name] = ingest(root, photos, host.url(database))
            one, other = found["SQLite"], found["PostgreSQL"]
            ratios.append(one / other)
            print(
                f"| {count} | {number / one:.1f}/s | {number / other:.1f}/s | {ratios[-1]:.2f} |",
                flush=True,
            )
    print(f"| **median** | | | **{statistics.median(ratios):.2f}** |")


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
