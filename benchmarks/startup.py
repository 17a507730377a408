"""Start-up and throughput beside an older commit: processor time, memory, images a second.

    uv run python benchmarks/startup.py --shared ../shared

The older commit is checked out with git into a temporary folder and gets an environment of its
own; both take turns, so that whatever else the machine does meets both. Ratios are new / old.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BASELINE = "c20ffa5cbcb195276d8e4934a4b7047670c4ec66"
CHECKOUT = Path(__file__).parents[1]
TEACHER = "weights/deeplabv3_mobilenetv2_voc.onnx"
# A resource tracker is smaller, a worker larger.
_LARGE_MIB = 40
READING = ("status", "list", "rounds", "review status", "scores slices", "verify")


class Tree:
    """A checkout with its environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.program = str(root / ".venv/bin/dataengine")

    def run(self, *arguments: str | Path, may_fail: bool = False) -> float:
        """Run a command; returns its processor time in seconds, that of its children included."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = subprocess.run(
            [self.program, *map(str, arguments)], cwd=self.root, capture_output=True, text=True
        )
        if ended.returncode and not may_fail:
            sys.exit(f"{self.root}: {' '.join(map(str, arguments))}\n{ended.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def peak_of_workers(self, *arguments: str | Path) -> float:
        """Run a command; the largest proportional memory (PSS) of a process below it, in MiB."""
        started = subprocess.Popen(
            [self.program, *map(str, arguments)],
            cwd=self.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peak = 0.0
        while started.poll() is None:
            # Workers are the large processes without children, once both are there: a server
            # that they are copied from has some.
            workers = [size for size in map(_pss_mib, _leaves(started.pid)) if size > _LARGE_MIB]
            if len(workers) > 1:
                peak = max(peak, *workers)
            time.sleep(0.1)
        return peak


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(each) for each in text.split()]


def _leaves(pid: int) -> list[int]:
    below = _children(pid)
    return [leaf for child in below for leaf in (_leaves(child) or [child])]


def _pss_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def baseline(folder: Path, commit: str) -> Tree:
    """Check a commit out and install it."""
    subprocess.run(
        ["git", "-C", CHECKOUT, "worktree", "add", "--detach", folder, commit],
        check=True,
        capture_output=True,
    )
    subprocess.run(["uv", "sync", "-q"], cwd=folder, check=True, env=_without_environment())
    return Tree(folder)


def _without_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}


def per_item(run: Callable[[int], float]) -> float:
    """Milliseconds that an item more costs, without what it costs to start."""
    few, many = 4, 84
    return 1000 * (run(many) - run(few)) / (many - few)


def compare(
    what: str, old: Tree, new: Tree, measure: Callable[[Tree, Path], float], rounds: int, unit: str
) -> None:
    """Measure both in turns and print the medians and their ratio."""
    found: dict[Tree, list[float]] = {old: [], new: []}
    for _ in range(rounds):
        for tree in (old, new):
            with tempfile.TemporaryDirectory() as scratch:
                found[tree].append(measure(tree, Path(scratch)))
    before, after = (statistics.median(found[tree]) for tree in (old, new))
    ratio = after / before
    print(f"| {what} | {before:,.2f} {unit} | {after:,.2f} {unit} | {ratio:.2f} |", flush=True)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=CHECKOUT.parent / "shared")
    parser.add_argument("--baseline", default=BASELINE, help="Commit to compare with.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="ingest,memory,evaluate,predict,reading")
    arguments = parser.parse_args()
    shared = arguments.shared.resolve()
    parts = arguments.parts.split(",")
    photos = sorted((shared / "data/crawl/flickr").glob("*.jpg"))
    teachers = {"an ONNX teacher": f"onnx:{shared / TEACHER}", "`bundled`": "bundled"}
    data = shared / "data/eg1800"
    new = Tree(CHECKOUT)
    with tempfile.TemporaryDirectory() as folder:
        old = baseline(Path(folder) / "baseline", arguments.baseline)
        print("| | before | now | ratio |\n|---|---|---|---|")
        try:
            for name, teacher in teachers.items():

                def ingest(tree: Tree, to: Path, teacher: str = teacher) -> float:
                    return tree.run("-w", to / "ws", "ingest", photos[0], "--teacher", teacher)

                def memory(tree: Tree, to: Path, teacher: str = teacher) -> float:
                    return tree.peak_of_workers(
                        "-w", to / "ws", "ingest", *photos[:24], "--teacher", teacher,
                        "--workers", "2",
                    )  # fmt: skip

                if "ingest" in parts:
                    compare(
                        f"`ingest` of one photo, {name}, processor time",
                        old,
                        new,
                        ingest,
                        arguments.rounds,
                        "s",
                    )
                if "memory" in parts:
                    compare(f"a worker of two, {name}, PSS", old, new, memory, 1, "MiB")
            networks = ("sinet:bundled", shared / "weights/sinet_official.pth", shared / TEACHER)
            for network in networks:

                def evaluate(tree: Tree, _: Path, network: str | Path = network) -> float:
                    return per_item(
                        lambda number: tree.run(
                            "evaluate", network, "--data", data, "--limit", str(number)
                        )
                    )

                def predict(tree: Tree, to: Path, network: str | Path = network) -> float:
                    return per_item(
                        lambda number: tree.run(
                            "predict", network, *photos[:number], "--out", to / f"{number}"
                        )
                    )

                if "evaluate" in parts:
                    compare(
                        f"`evaluate` {Path(network).name}, an image more, processor time",
                        old,
                        new,
                        evaluate,
                        arguments.rounds,
                        "ms",
                    )
                if "predict" in parts:
                    compare(
                        f"`predict` {Path(network).name}, a photo more, processor time",
                        old,
                        new,
                        predict,
                        arguments.rounds,
                        "ms",
                    )
            for command in READING if "reading" in parts else ():

                def read(tree: Tree, to: Path, command: str = command) -> float:
                    tree.run("init", to / "ws")
                    return tree.run("-w", to / "ws", *command.split(), may_fail=True)

                compare(f"`{command}`, processor time", old, new, read, arguments.rounds, "s")
        finally:
            subprocess.run(
                ["git", "-C", CHECKOUT, "worktree", "remove", "--force", old.root], check=False
            )


if __name__ == "__main__":
    main()
