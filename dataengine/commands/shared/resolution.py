"""The size of a network's input, wherever one is asked or exported."""

from typing import Annotated

import typer

Resolution = Annotated[
    int | None,
    typer.Option(
        "--resolution",
        min=32,
        metavar="PX",
        help="Bring images to a square of this side, a multiple of 32, before the network sees "
        "them; not for exported networks of fixed size.",
        show_default="as the network's file says",
    ),
]
