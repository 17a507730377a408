"""`dataengine web`."""

from pathlib import Path
from typing import Annotated

import typer

from dataengine.commands.shared.resolution import Resolution

EPILOG = """
**Examples**

    dataengine web ./page
    dataengine web ./my-page --network runs/sinet/last.safetensors --resolution 160
"""


def web(
    context: typer.Context,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to make; one that is there must be empty.")
    ],
    network_: Annotated[
        str,
        typer.Option(
            "--network",
            metavar="NETWORK",
            help="Whose weights: sinet:bundled, sinet:current, bundled, or a checkpoint's file.",
        ),
    ] = "sinet:bundled",
    resolution: Resolution = None,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Write a web page that changes the background of the camera or of a picture.

    A folder of static files with the network and its runtime, which works on the computer of
    whoever looks at it: no request leaves the page's own address, and it needs no internet. Any web
    server will do, `python -m http.server` among them.
    """
    import pipelines
    from dataengine.console.shared.progress import shown_progress
    from dataengine.console.web import print_web_page
    from dataengine.context import network

    request = pipelines.WebRequest(out=out, network=network(context, network_).at(resolution))
    with shown_progress() as progress:
        page = pipelines.write_web_page(request, progress)
    print_web_page(page, as_json=json)
