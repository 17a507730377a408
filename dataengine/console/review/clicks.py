"""`review clicks` on a console."""

import time

from dataengine.console.shared.signals import ended_by_signals
from dataengine.console.shared.text import say
from pipelines.label_studio.connecting import connect
from pipelines.review.clicking import click_backend, connect_projects, kept_connected
from pipelines.workspace.workspace import Workspace


def run_clicks(workspace: Workspace, address: str, port: int | None, url: str | None) -> None:
    """Answer clicks until Ctrl-C or SIGTERM."""
    gateway = connect(workspace)
    with (
        ended_by_signals(),
        click_backend(workspace, address=address, port=port, url=url) as backend,
    ):
        # What is wrong with the connection is told at once, and ends the command.
        connected = set[int]()
        for title in connect_projects(workspace, gateway, backend, connected):
            say(f"Clicks are answered in {title!r}.")
        say(f"ML backend     {backend.url}")
        say(f"Label Studio   {gateway.url}")
        say("Ctrl-C stops it.", err=True)
        with kept_connected(workspace, lambda: gateway, backend, say, connected):
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                say("Stopping …", err=True)
