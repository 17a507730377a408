"""`dataengine review clicks`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine review clicks
    dataengine -w portraits review clicks --address 0.0.0.0 --url http://10.0.0.5:9090 --port 9090
"""


def clicks(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="To listen on.", show_default="the first free from 9090"
        ),
    ] = None,
    address: Annotated[
        str, typer.Option(help="To listen on; this machine alone unless told otherwise.")
    ] = "127.0.0.1",
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Of this backend, as Label Studio's server reaches it.",
            show_default="by address and port",
        ),
    ] = None,
) -> None:
    """Answer clicks in the labeling screen of a Label Studio that runs already, until Ctrl-C.

    A click, or a box, mends the whole mask. This is an ML backend by Label Studio's protocol; it
    connects itself to this workspace's projects on the server in LABEL_STUDIO_URL, as whoever has
    the token in LABEL_STUDIO_API_KEY, and asks for a password that is a new one each time.
    `dataengine review server` has one built in. The server must be allowed to ask this address:
    docs/review.md.
    """
    from dataengine.console.review.clicks import run_clicks
    from dataengine.context import opened

    with opened(context, read_only=True) as workspace:
        run_clicks(workspace, address, port, url)
