# Shortcuts; https://just.systems

# Tests, as the README has them
test *arguments:
    uv run pytest {{arguments}}

# Linters, formatter and type checker
check:
    uv run ruff check .
    uv run ruff format --check .
    uv run mypy

# Bring the code into shape
fix:
    uv run ruff check --fix .
    uv run ruff format .

# The documentation, as it is written
docs:
    uv run mkdocs serve

# Everything continuous integration runs
ci:
    .ci/run

# The slow campaigns
campaign:
    uv run pytest -m campaign

# Figures of benchmarks/README.md and docs/masks.md
bench shared="../shared":
    uv run python benchmarks/job_queue.py
    uv run python benchmarks/ingest.py --shared {{shared}}
    uv run python benchmarks/masks.py --shared {{shared}}
    uv run python benchmarks/review.py --shared {{shared}}
