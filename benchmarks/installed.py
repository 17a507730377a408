"""The package: sizes of sdist and wheel, and what starting costs, in processor time.

    uv run python benchmarks/installed.py

Starting takes turns with a Python that does nothing, so that whatever else the machine does meets
both; what is printed is the difference of the medians.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
STARTS = {
    "import pipelines": "import pipelines",
    "the check of names": "import dataengine; [dataengine.foreign(n) for n in dataengine.GENERIC]",
    "import dataengine.cli": "import dataengine.cli",
    "dataengine --help": "import sys; sys.argv[1:] = ['--help']; import dataengine; "
    "dataengine.main()",
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
        subprocess.run([*build, str(CHECKOUT)], check=True, capture_output=True)
        for file in sorted(Path(folder).iterdir()):
            print(f"| {file.suffix} | {file.stat().st_size / 1e6:.1f} MB |")
            if file.suffix == ".whl":
                with zipfile.ZipFile(file) as wheel:
                    size = sum(each.file_size for each in wheel.infolist())
                print(f"| installed | {size / 1e6:.1f} MB |")
    seconds: dict[str, list[float]] = {name: [] for name in ("nothing", *STARTS)}
    for _ in range(rounds):
        for name, code in (("nothing", ""), *STARTS.items()):
            seconds[name].append(processor_time(code))
    nothing = statistics.median(seconds["nothing"])
    print(f"| a Python that does nothing | {1e3 * nothing:.0f} ms |")
    for name in STARTS:
        print(f"| {name} | + {1e3 * (statistics.median(seconds[name]) - nothing):.0f} ms |")


def processor_time(code: str) -> float:
    """Seconds of a new interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
