"""`dataengine models`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine models
    dataengine models --json
"""


def models(
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the networks that `train --model` knows.

    With each of its backbones: parameters and multiply-accumulates (MACs) for one image of
    224 × 224 pixels, both with two classes, the paper, and the licence of the authors' code and of
    pretrained weights.
    """
    from rich.console import Console
    from rich.table import Table

    from dataengine.tables import print_json
    from sinet.models import list_networks

    listed = list_networks()
    if json:
        print_json(listed)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("network", "backbone"):
        table.add_column(title, no_wrap=True)
    for title in ("parameters", "MACs"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("source")
    table.add_column("licence")
    for each in listed:
        known = each.parameters is not None and each.macs is not None
        table.add_row(
            each.name,
            each.backbone or "",
            f"{each.parameters:,}" if known else "not installed",
            f"{each.macs / 1e6:,.1f} M" if each.macs is not None else "",
            each.source,
            each.licence,
        )
    Console(highlight=False).print(table)
