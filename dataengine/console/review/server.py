"""`review server` on a console."""

from pathlib import Path

from dataengine.console.shared.signals import ended_by_signals
from dataengine.console.shared.text import say
from pipelines.label_studio.connecting import KEY_VARIABLE, URL_VARIABLE
from pipelines.label_studio.gateway import Gateway
from pipelines.label_studio.server import LocalServer, default_data_dir, local_server
from pipelines.review.clicking import click_backend, kept_connected
from pipelines.workspace.workspace import Workspace
from sinet.escaping import printable


def run_server(root: Path, workspace: Workspace, port: int | None, data_dir: Path | None) -> None:
    """Start a server, say where and for whom, and stop it on Ctrl-C or SIGTERM."""
    folder, store = data_dir or default_data_dir(root), workspace.store
    say("Starting Label Studio (the first time takes a minute or two) …", err=True)
    with (
        ended_by_signals(),
        click_backend(workspace) as backend,
        local_server(folder, store.local_root, port) as server,
        kept_connected(workspace, lambda: _gateway(workspace, server), backend, _tell),
    ):
        login = server.login
        # To the terminal only: nothing of this may be in a log or in the workspace.
        say(f"Label Studio   {server.url}")
        say(f"  login        {login.email}")
        say(f"  password     {login.password}")
        say(f"  its data     {server.data_dir}")
        say("In another terminal:")
        say(f"  export {URL_VARIABLE}={server.url}")
        say(f"  export {KEY_VARIABLE}={login.token}")
        say(f"  dataengine -w {printable(str(root))} review push --limit 100")
        say("Ctrl-C stops it.", err=True)
        try:
            server.wait()
        except KeyboardInterrupt:
            say("Stopping …", err=True)


def _gateway(workspace: Workspace, server: LocalServer) -> Gateway:
    from pipelines.label_studio.sdk_gateway import LabelStudioGateway

    timeout = workspace.settings.review.timeout_seconds
    return LabelStudioGateway(server.url, server.login.token, timeout)


def _tell(text: str) -> None:
    say(text, err=True)
