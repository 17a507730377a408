"""`models` on a console."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from dataengine.console.shared.text import print_json
from sinet.models import ListedNetwork


def print_networks(listed: Sequence[ListedNetwork], *, as_json: bool) -> None:
    """What networks cost, a line each; then, once a network, where they come from."""
    if as_json:
        print_json(listed)
        return
    costs = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("network", "backbone"):
        costs.add_column(title, no_wrap=True)
    for title in ("parameters", "MACs"):
        costs.add_column(title, justify="right", no_wrap=True)
    for each in listed:
        known = each.parameters is not None and each.macs is not None
        costs.add_row(
            each.name,
            each.backbone or "",
            f"{each.parameters:,}" if known else "not installed",
            f"{each.macs / 1e6:,.1f} M" if each.macs is not None else "",
        )
    origins = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("network", "source", "licence"):
        origins.add_column(title, overflow="fold", no_wrap=title == "network")
    for name, each in {each.name: each for each in listed}.items():
        origins.add_row(name, each.source, each.licence)
    console = Console(highlight=False)
    console.print(costs)
    console.print()
    console.print(origins)
