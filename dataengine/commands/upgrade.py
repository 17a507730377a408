"""`dataengine upgrade`."""

import typer

EPILOG = """
**Examples**

    dataengine upgrade
    dataengine -w portraits upgrade
"""


def upgrade(context: typer.Context) -> None:
    """Bring a workspace of an older version up to date.

    Every command that writes does so by itself; those that only read ask for it. What was there
    stays; an older version refuses the workspace from then on, so make a copy first if you may
    want to go back.
    """
    from dataengine.console.upgrade import print_upgraded
    from dataengine.context import opened

    with opened(context) as workspace:
        print_upgraded(workspace)
