"""The option that lets a cluster do the work."""

from typing import Annotated

import typer

OnCluster = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="CLUSTER",
        help="Let the machines of a Ray cluster do the work: `ray` (the one this machine belongs "
        "to, or RAY_ADDRESS) or ray://HOST. Rows have to be on PostgreSQL; blobs, and what is "
        "taken in, in buckets.",
        show_default="this machine",
    ),
]
