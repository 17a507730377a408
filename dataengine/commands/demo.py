"""`dataengine demo`."""

from pathlib import Path
from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine demo
    dataengine demo /tmp/portraits
"""


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where; made if it is missing.")
    ] = Path("dataengine-demo"),
) -> None:
    """Try everything on a small crawl, without internet or photos of your own.

    Makes a crawl of nineteen files that anybody may have (portraits, a picture of two people, a
    copy, pictures without faces, a broken file; ten portraits are its own, CC0, the rest lies in
    the wheels of scikit-image and matplotlib), ingests it with the bundled teacher, refines the
    masks with the bundled SINet, draws them, writes the report page, and predicts a new photo.
    """
    import pipelines
    from dataengine.console.demo import print_demonstrated
    from dataengine.console.shared.progress import shown_progress
    from dataengine.console.shared.signals import INTERRUPTED

    with shown_progress(stoppable=True) as progress:
        done = pipelines.demonstrate(folder, progress)
    print_demonstrated(done)
    if done.ingested.interrupted:
        raise typer.Exit(INTERRUPTED)
