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
    from dataengine.console.models import print_networks
    from sinet.models import list_networks

    print_networks(list_networks(), as_json=json)
