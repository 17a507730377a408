"""Benchmarks are scripts: their folder comes first where Python looks for packages."""

import sys

from tests.conftest import CHECKOUT

OURS = {"dataengine", "pipelines", "db", "sinet", "tests"}


def test_no_benchmark_hides_a_package() -> None:
    names = {path.stem for path in (CHECKOUT / "benchmarks").glob("*.py")}
    assert "ingest" in names
    assert names & (OURS | set(sys.stdlib_module_names)) == set()
